"""Requests to tune tool choice on: tools, sentences, values and seed are other than those of ``tool_prompts.py``, which only judges."""

from __future__ import annotations

from tests.benchmarks.tool_prompts import Argument, Case, Subject, generate

SEED = 7

STATIONS = ("Hamburg", "Vienna", "Zurich", "Leeds", "Porto", "Salt Lake City", "Gdansk", "Kyoto")
NAMES = ("Ben", "Ms. Okafor", "the plumber", "my boss", "Elena", "Uncle Joe")
BOOKS = ("Dune", "War and Peace", "The Hobbit", "Moby Dick", "Beloved", "A Tale of Two Cities")
LINES = ("the show must go on", "hope springs eternal", "winter is coming soon", "do not disturb", "the train leaves at seven")

SUBJECTS = (
    Subject(
        "air_quality",
        "Measure how clean the air of a town is.",
        [Argument("town", STATIONS)],
        ["How clean is the air in {town}?", "Is there smog over {town} today?", "Air quality of {town}", "Can I breathe freely in {town}?"],
        ["town_events", "pollen_count"],
    ),
    Subject(
        "train_times",
        "Look up trains between two stations.",
        [Argument("start", STATIONS), Argument("end", STATIONS)],
        [
            "When does a train leave {start} for {end}?",
            "Trains from {start} to {end}",
            "How can I go by rail from {start} to {end}?",
            "I'd like to take the train to {end}, starting in {start}.",
        ],
        ["train_delay", "rent_car"],
    ),
    Subject(
        "find_book",
        "Find out whether the library has a book.",
        [Argument("title", BOOKS)],
        ["Does the library have {title}?", "Can I borrow '{title}'?", "Is {title} available?", "I am looking for the book {title}."],
        ["return_book", "book_review"],
    ),
    Subject(
        "area",
        "Compute the area of a rectangle.",
        [Argument("width", (3, 12, 40, 7), "number"), Argument("height", (5, 9, 22, 60), "number")],
        [
            "What is the area of a {width} by {height} rectangle?",
            "A room is {width} metres wide and {height} metres long, how big is it?",
            "Area for width {width} and height {height}",
            "How many square feet are {width} times {height} feet?",
        ],
        ["perimeter", "circle_area"],
    ),
    Subject(
        "transfer_money",
        "Transfer money to somebody's account.",
        [Argument("amount", (30, 250, 1100, 18), "number"), Argument("receiver", NAMES)],
        [
            "Transfer {amount} dollars to {receiver}.",
            "Pay {receiver} {amount} euros.",
            "I owe {receiver} {amount} dollars, send it please.",
            "Wire {amount} to {receiver}",
        ],
        ["account_balance", "phone_number"],
    ),
    Subject(
        "reverse_text",
        "Write a text backwards.",
        [Argument("text", LINES)],
        ["Reverse '{text}'.", "Write this backwards: {text}", 'What is "{text}" from back to front?', "Turn around the sentence: {text}"],
        ["uppercase_text", "spell_check"],
    ),
    Subject(
        "add_note",
        "Save a note in a notebook.",
        [Argument("note", LINES), Argument("notebook", ("work", "private", "travel"), choices=("work", "private", "travel"))],
        [
            "Write '{note}' into my {notebook} notebook.",
            "Note in {notebook}: {note}",
            "Add to the {notebook} notes: {note}",
            'Keep "{note}" in the {notebook} notebook, please.',
        ],
        ["search_notes", "delete_note"],
    ),
    Subject(
        "schedule_meeting",
        "Put a meeting with a person into the calendar.",
        [Argument("person", NAMES), Argument("time", ("Tuesday at 3", "tomorrow afternoon", "next week", "10 am", "Thursday evening"))],
        [
            "Schedule a meeting with {person} {time}.",
            "I want to meet {person} {time}.",
            "Put {person} in my calendar: {time}",
            "Arrange an appointment with {person} for {time}.",
        ],
        ["cancel_meeting", "phone_number"],
    ),
    Subject(
        "volume",
        "Set the loudness of the speakers.",
        [Argument("level", (2, 5, 30, 80), "integer")],
        ["Set the volume to {level}.", "Volume {level}", "Make it {level} percent loud.", "Turn the speakers to {level}, please."],
        ["mute", "equaliser"],
    ),
    Subject(
        "movie_times",
        "Find out when a film is shown in a town.",
        [Argument("film", ("Casablanca", "The Matrix", "Alien", "Toy Story", "Some Like It Hot")), Argument("town", STATIONS)],
        [
            "When is {film} on in {town}?",
            "Which cinemas in {town} show {film}?",
            "I want to watch {film} in {town}",
            "Screenings of {film} in {town}, please.",
        ],
        ["film_review", "town_events"],
    ),
    Subject(
        "check_stock",
        "See how many pieces of an article are in the warehouse.",
        [Argument("article", ("A-1009", "SKU 4411", "blue mugs", "garden chairs", "XP-77"))],
        ["How many {article} do we have left?", "Is {article} in stock?", "Check the warehouse for {article}.", "Stock of {article}?"],
        ["article_price", "order_article"],
    ),
    Subject(
        "run_tests",
        "Run the tests of a project's folder.",
        [Argument("folder", ("tests/unit", "backend", "app/tests", "lib")), Argument("repeat", (1, 2, 5), "integer")],
        [
            "Run the tests in {folder} {repeat} times.",
            "Test {folder}, {repeat} runs",
            "Please execute the tests of {folder} with {repeat} repetitions.",
            "{repeat} test runs of {folder}, please.",
        ],
        ["build_project", "count_files"],
    ),
    Subject(
        "log_level",
        "Change how much a service writes to its log.",
        [
            Argument("service", ("billing", "mail-gateway", "auth", "search-api")),
            Argument("level", ("debug", "info", "error"), choices=("debug", "info", "error")),
        ],
        [
            "Set the log level of {service} to {level}.",
            "Let {service} log at {level}.",
            "Switch {service} to {level} logging",
            "Change logging for {service}: {level}",
        ],
        ["restart_service", "show_log"],
    ),
    Subject(
        "plant_care",
        "Explain how to look after a plant.",
        [Argument("plant", ("orchids", "a ficus", "tomatoes", "bonsai trees", "basil"))],
        [
            "How do I take care of {plant}?",
            "What does {plant} need to grow well?",
            "How often must I water {plant}?",
            "Give me care instructions for {plant}.",
        ],
        ["buy_plant", "plant_price"],
    ),
)

NEVER_RIGHT = (
    Subject("town_events", "List concerts and markets in a town.", [Argument("town")]),
    Subject("pollen_count", "Get the pollen forecast of a town.", [Argument("town")]),
    Subject("train_delay", "Check the delay of a train.", [Argument("train")]),
    Subject("rent_car", "Rent a car in a town.", [Argument("town")]),
    Subject("return_book", "Give a borrowed book back.", [Argument("title")]),
    Subject("book_review", "Read a review of a book.", [Argument("title")]),
    Subject("perimeter", "Compute the perimeter of a rectangle.", [Argument("width", kind="number"), Argument("height", kind="number")]),
    Subject("circle_area", "Compute the area of a circle.", [Argument("radius", kind="number")]),
    Subject("account_balance", "Show the balance of the user's account.", []),
    Subject("phone_number", "Look up the phone number of a person.", [Argument("person")]),
    Subject("uppercase_text", "Write a text in capital letters.", [Argument("text")]),
    Subject("spell_check", "Find spelling mistakes in a text.", [Argument("text")]),
    Subject("search_notes", "Search the user's notes.", [Argument("query")]),
    Subject("delete_note", "Delete a note.", [Argument("note")]),
    Subject("cancel_meeting", "Cancel a meeting.", [Argument("person")]),
    Subject("mute", "Switch the sound off.", []),
    Subject("equaliser", "Set bass and treble of the speakers.", [Argument("bass", kind="integer"), Argument("treble", kind="integer")]),
    Subject("film_review", "Read a review of a film.", [Argument("film")]),
    Subject("article_price", "Get the price of an article.", [Argument("article")]),
    Subject("order_article", "Order more pieces of an article.", [Argument("article"), Argument("count", kind="integer")]),
    Subject("build_project", "Build a project.", [Argument("folder")]),
    Subject("count_files", "Count the files of a folder.", [Argument("folder")]),
    Subject("restart_service", "Restart a service.", [Argument("service")]),
    Subject("show_log", "Show the newest lines of a service's log.", [Argument("service")]),
    Subject("buy_plant", "Buy a plant.", [Argument("plant")]),
    Subject("plant_price", "Get the price of a plant.", [Argument("plant")]),
)

TALK = (
    "Hi there!",
    "Thanks, that is all.",
    "Who painted the Mona Lisa?",
    "Tell me a story about a dragon.",
    "How far away is the moon?",
    "What is your favourite colour?",
    "Write a limerick about a frog.",
    "What is the tallest mountain on earth?",
    "I am bored.",
    "Explain gravity in one sentence.",
    "What language do people speak in Brazil?",
    "Can fish sleep?",
    "Give me a riddle.",
    "What does a carpenter do?",
    "How are clouds formed?",
    "See you tomorrow!",
    "Name three kinds of cheese.",
    "What is a good name for a boat?",
    "Should I get a dog or a cat?",
    "Who invented the telephone?",
    "Write two sentences about friendship.",
    "How many days has a leap year?",
    "What is the meaning of life?",
    "Compare apples and oranges.",
)


def cases() -> list[Case]:
    """The cases to tune on."""
    return generate(SEED, 12, SUBJECTS, NEVER_RIGHT, TALK)
