"""Examples of workflow documents, one a kind, each complete and run by the tests; ``agentnb workflow new`` writes them."""
