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

LANGUAGES_OF_CODE = ("Python", "Rust", "C++", "Go")
UNITS = ("miles", "kilometres", "pounds", "kilograms", "feet", "litres")

MORE = (
    Subject(
        "convert_units",
        "Convert a measurement from one unit to another.",
        [Argument("value", (3, 26, 180, 45), "number"), Argument("from_unit", UNITS), Argument("to_unit", UNITS)],
        [
            "What are {value} {from_unit} in {to_unit}?",
            "Express {value} {from_unit} as {to_unit}.",
            "{value} {from_unit} to {to_unit}",
            "How many {to_unit} are {value} {from_unit}?",
        ],
        ["add_measurement", "body_mass_index"],
    ),
    Subject(
        "todo_add",
        "Put a task on the to-do list with a due date.",
        [
            Argument("item", ("mow the lawn", "book a hotel", "wash the car", "send the invoice", "pick up the kids")),
            Argument("due", ("next Monday", "tomorrow", "this evening", "10 am", "Wednesday", "in two weeks")),
        ],
        [
            "I need to {item} {due}, put it on my list.",
            "Add to my to-dos for {due}: {item}",
            "Don't forget: {item}, {due}.",
            "New task: {item} by {due}",
        ],
        ["todo_list", "todo_done"],
    ),
    Subject(
        "post_comment",
        "Post a comment on somebody's profile.",
        [Argument("user", NAMES), Argument("comment", LINES)],
        [
            "Comment '{comment}' on the profile of {user}.",
            "Leave {user} a comment: {comment}",
            'Tell {user} on the profile "{comment}".',
            "Write on the wall of {user}: {comment}",
        ],
        ["block_user", "follow_user"],
    ),
    Subject(
        "drive_route",
        "Plan a route by car between two places.",
        [Argument("departure", STATIONS), Argument("arrival", STATIONS)],
        [
            "Drive from {departure} to {arrival}.",
            "How do I get to {arrival} by car, starting in {departure}?",
            "Best road between {departure} and {arrival}?",
            "Route {departure} {arrival}",
        ],
        ["traffic_jams", "fuel_price"],
    ),
    Subject(
        "code_search",
        "Search open source code for something in a programming language.",
        [
            Argument("query", ("binary search", "json parser", "rate limiter", "quick sort", "web crawler")),
            Argument("language", LANGUAGES_OF_CODE),
        ],
        [
            "Find {language} code for a {query}.",
            "Show me a {query} written in {language}.",
            "Search for {query} in {language}",
            "I need an example of a {query} in {language}.",
        ],
        ["run_code", "format_code"],
    ),
    Subject(
        "hire_bike",
        "Hire bicycles for some hours.",
        [Argument("bikes", (1, 2, 4, 6), "integer"), Argument("hours", (2, 3, 5, 8), "integer")],
        [
            "We want {bikes} bikes for {hours} hours.",
            "Hire {bikes} bicycles, {hours} hours please",
            "For {hours} hours I need {bikes} bikes.",
            "Can I have {bikes} bikes? I'd bring them back after {hours} hours.",
        ],
        ["bike_prices", "return_bike"],
    ),
    Subject(
        "lookup_patient",
        "Find the record of a patient.",
        [Argument("patient", ("Maria Gonzalez", "P-2231", "John O'Neill", "K. Tanaka", "H77-03"))],
        [
            "Open the record of {patient}.",
            "What do we know about patient {patient}?",
            "Get me the file on {patient}, please.",
            "Has {patient} been here before?",
        ],
        ["discharge_patient", "book_room"],
    ),
    Subject(
        "brew",
        "Make a hot drink.",
        [Argument("drink", ("espresso", "green tea", "hot chocolate", "cappuccino", "chai latte"))],
        ["I'd like {drink}.", "Make me a {drink}, please.", "One {drink}!", "Could I have some {drink}?", "{drink}, please"],
        ["clean_machine", "refill_water"],
    ),
    Subject(
        "paint_price",
        "Get the price of a paint in a colour and a size.",
        [
            Argument("colour", ("red", "navy blue", "white", "olive green")),
            Argument("size", ("small", "medium", "large"), choices=("small", "medium", "large")),
        ],
        [
            "What does a {size} can of {colour} paint cost?",
            "Price of {colour} paint, {size}?",
            "How expensive is the {colour} one in {size}?",
            "Tell me the price for {size} {colour}.",
        ],
        ["paint_stock", "mix_colours"],
    ),
    Subject(
        "news",
        "Read the news about a topic.",
        [Argument("topic", ("climate change", "football", "interest rates", "the election", "artificial intelligence"))],
        [
            "What's new about {topic}?",
            "Any headlines on {topic}?",
            "News on {topic}, please.",
            "Read me what the papers say about {topic}.",
        ],
        ["news_archive", "subscribe_topic"],
    ),
    Subject(
        "rename_document",
        "Give a document another name.",
        [Argument("old", ("draft.docx", "notes.txt", "plan_v1.pdf")), Argument("new", ("final.docx", "ideas.txt", "plan_v2.pdf"))],
        ["Rename {old} to {new}.", "{old} should be called {new}.", "Change the name of {old} into {new}", "Call {old} {new} from now on."],
        ["copy_document", "print_document"],
    ),
    Subject(
        "birthday",
        "Tell when a person has birthday.",
        [Argument("person", (*NAMES, "Sofia", "Mr. Brown"))],
        ["When is {person}'s birthday?", "What day was {person} born?", "Birthday of {person}?", "How old will {person} be, and when?"],
        ["phone_number", "send_card"],
    ),
)

MORE_NEVER_RIGHT = (
    Subject("add_measurement", "Save a measurement.", [Argument("value", kind="number"), Argument("unit")]),
    Subject("body_mass_index", "Compute the body mass index.", [Argument("weight", kind="number"), Argument("height", kind="number")]),
    Subject("todo_list", "Show the to-do list.", []),
    Subject("todo_done", "Mark a task of the to-do list as done.", [Argument("item")]),
    Subject("block_user", "Block a user.", [Argument("user")]),
    Subject("follow_user", "Follow a user.", [Argument("user")]),
    Subject("traffic_jams", "List traffic jams around a place.", [Argument("place")]),
    Subject("fuel_price", "Get the price of fuel at a place.", [Argument("place")]),
    Subject("run_code", "Run code in a programming language.", [Argument("code"), Argument("language")]),
    Subject("format_code", "Format code.", [Argument("code")]),
    Subject("bike_prices", "Show what bicycles cost.", []),
    Subject("return_bike", "Return a hired bicycle.", [Argument("number", kind="integer")]),
    Subject("discharge_patient", "Discharge a patient.", [Argument("patient")]),
    Subject("book_room", "Book a room for a patient.", [Argument("patient"), Argument("room", kind="integer")]),
    Subject("clean_machine", "Clean the coffee machine.", []),
    Subject("refill_water", "Ask somebody to refill the water.", []),
    Subject("paint_stock", "See which paints are in stock.", []),
    Subject("mix_colours", "Mix two colours.", [Argument("first"), Argument("second")]),
    Subject("news_archive", "Search old newspapers.", [Argument("topic"), Argument("year", kind="integer")]),
    Subject("subscribe_topic", "Subscribe to a newsletter on a topic.", [Argument("topic")]),
    Subject("copy_document", "Copy a document.", [Argument("document")]),
    Subject("print_document", "Print a document.", [Argument("document")]),
    Subject("send_card", "Send a greeting card to a person.", [Argument("person")]),
)

YET_MORE = (
    Subject(
        "postal_code",
        "Find the place that belongs to a postal code.",
        [Argument("code", ("90210", "EC1A 1BB", "10115", "75008", "K1A 0B1"))],
        ["Which place has the postal code {code}?", "Where is {code}?", "What town belongs to {code}?", "Look {code} up for me."],
        ["area_population", "postage"],
    ),
    Subject(
        "dial",
        "Dial a phone number.",
        [Argument("phone", ("555-0134", "+49 30 901820", "0800 4567", "112"))],
        ["Dial {phone}.", "Ring {phone} please", "Connect me to {phone}.", "I want to talk to {phone}."],
        ["phone_number", "hang_up"],
    ),
    Subject(
        "tell_colleague",
        "Pass a message on to a colleague.",
        [
            Argument("colleague", NAMES),
            Argument(
                "message", ("the report is ready", "I will be late", "lunch starts at one", "we need more paper", "the server is back")
            ),
        ],
        [
            "Tell {colleague} that {message}.",
            "Let {colleague} know that {message}",
            "Inform {colleague}: {message}",
            "Please say to {colleague} '{message}'.",
            "{colleague} should know that {message}.",
        ],
        ["phone_number", "invite_colleague"],
    ),
    Subject(
        "find_doctor",
        "Find a doctor of a speciality in a town.",
        [Argument("speciality", ("eye", "skin", "children's", "heart", "orthopaedic")), Argument("town", STATIONS)],
        [
            "I need a {speciality} doctor in {town}.",
            "Are there {speciality} specialists in {town}?",
            "Which {speciality} doctor can I see in {town}?",
            "I am in {town} and looking for a {speciality} doctor.",
        ],
        ["book_room", "town_events"],
    ),
    Subject(
        "spell",
        "Spell a word letter by letter.",
        [Argument("word", ("onomatopoeia", "rhythm", "bureaucracy", "mischievous"))],
        [
            "How is {word} spelled?",
            "Spell {word}.",
            "How do you write '{word}'?",
            "Letters of {word}, please.",
            "I can't spell the word {word}, can you?",
        ],
        ["spell_check", "rhymes"],
    ),
    Subject(
        "dim",
        "Dim the lamps of a zone to a brightness.",
        [
            Argument("zone", ("garden", "hall", "cellar"), choices=("garden", "hall", "cellar")),
            Argument("brightness", (10, 35, 60, 80), "integer"),
        ],
        [
            "Dim the {zone} to {brightness} percent.",
            "{zone} lamps at {brightness}%",
            "I'd like {brightness} percent of light in the {zone}.",
            "Make the {zone} {brightness} percent bright.",
        ],
        ["lamp_colour", "volume"],
    ),
    Subject(
        "sales_tax",
        "Work out the tax on a price.",
        [Argument("price", (19, 240, 75, 1300), "number"), Argument("rate", (7, 8, 21), "number")],
        [
            "What is {rate}% tax on {price} dollars?",
            "A chair costs {price} euros, how much tax at {rate} percent?",
            "Tax for a price of {price} with a rate of {rate}?",
            "Add {rate} percent tax to {price}, what do I pay in tax?",
        ],
        ["discount", "article_price"],
    ),
    Subject(
        "shop_hours",
        "Look up when a shop is open.",
        [Argument("shop", ("Marks & Spencer", "IKEA", "Barnes & Noble", "Aldi", "The Body Shop"))],
        ["When does {shop} open?", "Is {shop} open on Sundays?", "Opening hours of {shop}", "Until when can I go to {shop}?"],
        ["shop_address", "shop_offers"],
    ),
    Subject(
        "hear_band",
        "Listen to a band.",
        [Argument("band", ("The Beatles", "Radiohead", "Arctic Monkeys", "ABBA", "Earth, Wind & Fire"))],
        ["I want to listen to {band}.", "{band}, please!", "Let me hear {band}", "How about a track of {band}?", "Start {band}."],
        ["band_members", "mute"],
    ),
)

YET_MORE_NEVER_RIGHT = (
    Subject("area_population", "Count the people that live in an area.", [Argument("code")]),
    Subject("postage", "Compute the postage of a letter.", [Argument("weight", kind="number")]),
    Subject("hang_up", "End a phone call.", []),
    Subject("invite_colleague", "Invite a colleague to a meeting.", [Argument("colleague"), Argument("time")]),
    Subject("rhymes", "Find words that rhyme.", [Argument("word")]),
    Subject("lamp_colour", "Set the colour of the lamps of a zone.", [Argument("zone"), Argument("colour")]),
    Subject("discount", "Take a discount off a price.", [Argument("price", kind="number"), Argument("percent", kind="number")]),
    Subject("shop_address", "Find the address of a shop.", [Argument("shop")]),
    Subject("shop_offers", "List special offers of a shop.", [Argument("shop")]),
    Subject("band_members", "List the members of a band.", [Argument("band")]),
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
    "Who won the football world cup in 1974?",
    "Can you recommend a film for the weekend?",
    "Why do leaves fall in autumn?",
    "Tell me about the Romans.",
    "Do you sleep?",
    "I love pizza.",
    "What rhymes with moon?",
    "Translate nothing, just chat with me.",
    "How does a microwave work?",
    "Which animal is the fastest?",
    "Give me tips for a job interview.",
    "What is two plus two?",
    "Sing me a song.",
    "You are funny!",
    "What is the population of the earth?",
    "Why is my plant sad, haha?",
)


def cases() -> list[Case]:
    """The cases to tune on."""
    return generate(SEED, 12, (*SUBJECTS, *MORE, *YET_MORE), (*NEVER_RIGHT, *MORE_NEVER_RIGHT, *YET_MORE_NEVER_RIGHT), TALK)
