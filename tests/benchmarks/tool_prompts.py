"""Requests with the tool call that each one wants: the test set of ``tool_choice.py``.

Fixed before anything was tuned on it, and never changed since: what is tuned uses ``tool_prompts_dev.py``, whose tools, sentences, values
and seed are others. A case is made from a sentence with gaps, a value for each gap, and a set of tools:

- *plain*: the right tool among three, the others of other subjects;
- *distractors*: the right tool among six, two of which are its near neighbours (same subject or same argument, another purpose);
- *talk*: four tools, none of which fits, so that the right thing is no call.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SEED = 20261125


@dataclass(frozen=True)
class Argument:
    """One argument: ``kind`` is ``string``, ``integer`` or ``number``, or it is one of ``choices``."""

    name: str
    values: Sequence[Any] = ()
    kind: str = "string"
    choices: Sequence[str] = ()

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.choices)} if self.choices else {"type": self.kind}


@dataclass(frozen=True)
class Subject:
    """A tool with the sentences that ask for it, and its near neighbours."""

    name: str
    description: str
    arguments: Sequence[Argument]
    sentences: Sequence[str] = ()
    near: Sequence[str] = ()

    @property
    def tool(self) -> dict[str, Any]:
        properties = {argument.name: argument.schema for argument in self.arguments}
        parameters = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
        return {"name": self.name, "description": self.description, "parameters": parameters}


@dataclass(frozen=True)
class Case:
    """A request, the tools on offer, and the call that is right; no ``tool`` where none fits."""

    group: str
    prompt: str
    tools: Sequence[Mapping[str, Any]]
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


CITIES = (
    "Paris",
    "Berlin",
    "Tokyo",
    "New York",
    "Buenos Aires",
    "Cairo",
    "Oslo",
    "Melbourne",
    "San Francisco",
    "Nairobi",
    "Lisbon",
    "Mumbai",
)
PEOPLE = ("Anna", "Tom", "Dr. Meyer", "my sister", "Priya", "Carlos", "Mrs. Lindqvist", "the landlord", "Yusuf", "Grandma")
TEXTS = (
    "the early bird catches the worm",
    "all that glitters is not gold",
    "good morning, how are you today",
    "we will arrive at the station at noon",
    "please close the window",
    "it was a dark and stormy night",
    "where can I buy fresh bread",
    "a rolling stone gathers no moss",
)
COMPANIES = ("Siemens", "Toyota", "Netflix", "Deutsche Bank", "Intel", "Johnson & Johnson", "Airbus", "Nestlé", "Spotify", "Goldman Sachs")
DISHES = ("lasagne", "chicken curry", "pumpkin soup", "apple pie", "paella", "banana bread", "beef stew", "ramen")
CURRENCIES = ("euros", "US dollars", "Swiss francs", "Japanese yen", "British pounds", "Indian rupees")
WORDS = ("serendipity", "ephemeral", "ubiquitous", "melancholy", "pragmatic", "candor", "zeitgeist", "obfuscate")
PATHS = ("notes/todo.txt", "report.csv", "src/main.py", "config.yaml", "data/2024/sales.json", "README.md", "logs/app.log", "thesis.tex")

SUBJECTS = (
    Subject(
        "get_weather",
        "Get the current weather in a city.",
        [Argument("city", CITIES)],
        [
            "What is the weather like in {city}?",
            "Do I need an umbrella in {city} right now?",
            "How warm is it in {city} at the moment?",
            "Tell me whether the sun is shining in {city}.",
            "{city} weather, please",
            "Is it snowing in {city}?",
        ],
        ["get_local_time", "book_hotel"],
    ),
    Subject(
        "convert_currency",
        "Convert an amount of money from one currency into another.",
        [Argument("amount", (20, 75, 150, 999, 4200, 12), "number"), Argument("source", CURRENCIES), Argument("target", CURRENCIES)],
        [
            "How much is {amount} {source} in {target}?",
            "Convert {amount} {source} to {target}.",
            "I have {amount} {source}; how many {target} do I get for that?",
            "Please change {amount} {source} into {target}",
            "What are {amount} {source} worth in {target}?",
        ],
        ["exchange_rate_history", "split_bill"],
    ),
    Subject(
        "translate_text",
        "Translate a text into another language.",
        [Argument("text", TEXTS), Argument("language", ("French", "Spanish", "Japanese", "Polish", "Portuguese", "Swahili"))],
        [
            "Translate '{text}' into {language}.",
            'How do you say "{text}" in {language}?',
            "Put this into {language}: {text}",
            "What is '{text}' in {language}?",
            "I need the following in {language}: {text}",
        ],
        ["detect_language", "summarize_text"],
    ),
    Subject(
        "set_timer",
        "Start a countdown timer.",
        [Argument("minutes", (3, 7, 10, 12, 25, 40, 55, 90), "integer")],
        [
            "Set a timer for {minutes} minutes.",
            "Start a {minutes} minute countdown",
            "Let me know when {minutes} minutes are over.",
            "The eggs need {minutes} minutes, start the clock.",
            "Timer: {minutes} minutes, please.",
        ],
        ["set_alarm", "list_reminders"],
    ),
    Subject(
        "create_reminder",
        "Remind the user of a task at a certain time.",
        [
            Argument(
                "task",
                (
                    "water the plants",
                    "pay the rent",
                    "call the dentist",
                    "buy milk",
                    "take out the rubbish",
                    "renew my passport",
                    "feed the cat",
                ),
            ),
            Argument("when", ("tomorrow morning", "6 pm", "Friday", "half past nine", "Monday at noon", "tonight")),
        ],
        [
            "Remind me to {task} {when}.",
            "Don't let me forget to {task}: {when}!",
            "I have to {task} {when}, please remind me.",
            "Set a reminder for {when}: {task}",
        ],
        ["list_reminders", "set_alarm"],
    ),
    Subject(
        "send_message",
        "Send a text message to a person.",
        [
            Argument("recipient", PEOPLE),
            Argument(
                "text", ("I am running late", "dinner is ready", "happy birthday", "the meeting is cancelled", "thanks for your help")
            ),
        ],
        [
            "Send {recipient} the message: {text}",
            "Text {recipient} '{text}'.",
            "Write to {recipient}: {text}",
            'Message {recipient} and say "{text}".',
            "Let {recipient} know: {text}",
        ],
        ["call_contact", "create_contact"],
    ),
    Subject(
        "play_music",
        "Play songs of an artist.",
        [Argument("artist", ("Queen", "Miles Davis", "Adele", "The Rolling Stones", "Bach", "Daft Punk", "Nina Simone", "Metallica"))],
        [
            "Play something by {artist}.",
            "I'd like to hear {artist}",
            "Put on some {artist}, please.",
            "Can you play songs of {artist}?",
            "Some music by {artist} would be nice now.",
        ],
        ["play_podcast", "concert_dates"],
    ),
    Subject(
        "get_stock_price",
        "Get the current share price of a company.",
        [Argument("company", COMPANIES)],
        [
            "What does a share of {company} cost?",
            "How is the {company} stock doing today?",
            "Give me the stock price of {company}.",
            "At what price is {company} trading?",
            "{company} share price?",
        ],
        ["company_news", "company_address"],
    ),
    Subject(
        "find_restaurants",
        "Find restaurants of a cuisine in a city.",
        [Argument("cuisine", ("Italian", "Thai", "Mexican", "Ethiopian", "vegetarian", "Korean")), Argument("city", CITIES)],
        [
            "Where can I eat {cuisine} food in {city}?",
            "Find me a {cuisine} restaurant in {city}.",
            "I'm in {city} and hungry for {cuisine} cooking, where should I go?",
            "Show {cuisine} places to eat in {city}",
            "Is there a good {cuisine} restaurant in {city}?",
        ],
        ["book_hotel", "order_delivery"],
    ),
    Subject(
        "count_words",
        "Count the words of a text.",
        [Argument("text", TEXTS)],
        [
            "How many words are in '{text}'?",
            "Count the words of this: {text}",
            'Give me the number of words in "{text}".',
            "How many words does this sentence have: {text}",
            "Word count of '{text}', please.",
        ],
        ["summarize_text", "count_characters"],
    ),
    Subject(
        "get_local_time",
        "Get the local time in a city.",
        [Argument("city", CITIES)],
        [
            "What time is it in {city}?",
            "Tell me the time in {city}.",
            "How late is it in {city} now?",
            "What does the clock say in {city}?",
            "Current time {city}",
        ],
        ["get_weather", "city_population"],
    ),
    Subject(
        "calculate_tip",
        "Calculate the tip for a bill.",
        [Argument("bill", (24, 48, 63, 80, 112, 250), "number"), Argument("percent", (5, 10, 15, 18, 20), "number")],
        [
            "The bill is {bill} dollars and I want to tip {percent} percent. How much is that?",
            "How much tip is {percent}% on {bill} dollars?",
            "Work out a {percent} percent tip for a bill of {bill}.",
            "Our dinner was {bill} euros, what tip is {percent} percent?",
            "Tip for {bill} at {percent}%?",
        ],
        ["split_bill", "convert_currency"],
    ),
    Subject(
        "define_word",
        "Look up the meaning of a word in a dictionary.",
        [Argument("word", WORDS)],
        [
            "What does '{word}' mean?",
            "Define {word}.",
            "Look up the word {word}",
            "I don't know the word {word}, what is its meaning?",
            'What is the definition of "{word}"?',
        ],
        ["find_synonyms", "detect_language"],
    ),
    Subject(
        "track_parcel",
        "Find out where a parcel is.",
        [Argument("number", ("RB123456785DE", "1Z999AA10123456784", "JJD0099", "420-7781-X", "PX88210", "00340434161094"))],
        [
            "Where is my parcel {number}?",
            "Track package {number}.",
            "Has shipment {number} arrived yet?",
            "My delivery has the number {number}, where is it now?",
            "Status of parcel {number} please",
        ],
        ["cancel_order", "order_delivery"],
    ),
    Subject(
        "set_temperature",
        "Set the heating of a room to a temperature.",
        [
            Argument("room", ("kitchen", "bedroom", "bathroom", "office"), choices=("kitchen", "bedroom", "bathroom", "office")),
            Argument("degrees", (16, 18, 19, 20, 21, 22, 23, 24), "integer"),
        ],
        [
            "Heat the {room} to {degrees} degrees.",
            "Set the {room} to {degrees} degrees, please",
            "I want {degrees} degrees in the {room}.",
            "Make it {degrees} degrees in the {room}.",
            "Turn the {room} thermostat to {degrees}.",
        ],
        ["switch_light", "get_weather"],
    ),
    Subject(
        "find_recipe",
        "Find a recipe for a dish.",
        [Argument("dish", DISHES)],
        [
            "How do I cook {dish}?",
            "Find me a recipe for {dish}.",
            "I want to make {dish}, what do I need?",
            "Got a good recipe for {dish}?",
            "Show me how {dish} is made.",
        ],
        ["nutrition_facts", "order_delivery"],
    ),
    Subject(
        "search_flights",
        "Search for flights from one city to another.",
        [Argument("origin", CITIES), Argument("destination", CITIES)],
        [
            "Find flights from {origin} to {destination}.",
            "I want to fly from {origin} to {destination}.",
            "Which planes go from {origin} to {destination}?",
            "Show me flights to {destination} from {origin}.",
            "I need to get from {origin} to {destination} by plane",
        ],
        ["flight_status", "book_hotel"],
    ),
    Subject(
        "open_ticket",
        "Open a support ticket for a problem.",
        [
            Argument(
                "title", ("printer is jammed", "VPN does not connect", "password reset fails", "screen stays black", "server is slow")
            ),
            Argument("priority", ("low", "medium", "high"), choices=("low", "medium", "high")),
        ],
        [
            "Open a {priority} priority ticket: {title}",
            "Create a support ticket '{title}' with {priority} priority.",
            "File this problem, priority {priority}: {title}",
            "Report an issue with {priority} priority: {title}",
        ],
        ["close_ticket", "send_message"],
    ),
    Subject(
        "read_file",
        "Read the content of a file.",
        [Argument("path", PATHS)],
        [
            "What is in {path}?",
            "Show me the content of {path}.",
            "Open the file {path} and read it to me.",
            "Print {path}",
            "Please read {path} for me",
        ],
        ["delete_file", "list_folder"],
    ),
    Subject(
        "list_orders",
        "List the orders of a customer.",
        [Argument("customer_id", (17, 204, 1188, 40321, 9, 777), "integer")],
        [
            "Which orders has customer {customer_id} placed?",
            "List the orders of customer {customer_id}.",
            "What did customer number {customer_id} buy?",
            "Show all purchases of customer {customer_id}",
            "Orders for customer {customer_id}, please.",
        ],
        ["cancel_order", "customer_address"],
    ),
)

NEVER_RIGHT = (
    Subject("book_hotel", "Book a hotel room in a city.", [Argument("city")]),
    Subject("exchange_rate_history", "Show how an exchange rate developed over the last year.", [Argument("currency")]),
    Subject("split_bill", "Split a bill evenly between people.", [Argument("bill", kind="number"), Argument("people", kind="integer")]),
    Subject("detect_language", "Detect which language a text is written in.", [Argument("text")]),
    Subject("summarize_text", "Summarise a long text in a few sentences.", [Argument("text")]),
    Subject("set_alarm", "Set an alarm to wake the user up.", [Argument("time")]),
    Subject("list_reminders", "List all reminders that are set.", []),
    Subject("call_contact", "Call a person on the phone.", [Argument("recipient")]),
    Subject("create_contact", "Add a person to the address book.", [Argument("name"), Argument("phone")]),
    Subject("play_podcast", "Play the newest episode of a podcast.", [Argument("title")]),
    Subject("concert_dates", "List upcoming concerts of an artist.", [Argument("artist")]),
    Subject("company_news", "Read the latest news about a company.", [Argument("company")]),
    Subject("company_address", "Find the address of a company's headquarters.", [Argument("company")]),
    Subject("order_delivery", "Order food to be delivered.", [Argument("dish"), Argument("city")]),
    Subject("count_characters", "Count the characters of a text.", [Argument("text")]),
    Subject("city_population", "Get the number of inhabitants of a city.", [Argument("city")]),
    Subject("find_synonyms", "Find synonyms of a word.", [Argument("word")]),
    Subject("cancel_order", "Cancel an order.", [Argument("order_id", kind="integer")]),
    Subject("switch_light", "Switch the light of a room on or off.", [Argument("room"), Argument("state", choices=("on", "off"))]),
    Subject("nutrition_facts", "Get calories and nutrients of a food.", [Argument("food")]),
    Subject("flight_status", "Check whether a flight is on time.", [Argument("flight")]),
    Subject("close_ticket", "Close a support ticket.", [Argument("ticket_id", kind="integer")]),
    Subject("delete_file", "Delete a file.", [Argument("path")]),
    Subject("list_folder", "List the files in a folder.", [Argument("path")]),
    Subject("customer_address", "Get the postal address of a customer.", [Argument("customer_id", kind="integer")]),
)

TALK = (
    "Hello, how are you?",
    "Thank you very much!",
    "Tell me a joke.",
    "Who wrote Romeo and Juliet?",
    "Write a short poem about autumn.",
    "What is the capital of Australia?",
    "Why is the sky blue?",
    "Explain photosynthesis to a child.",
    "Give me three ideas for a birthday present for a teenager.",
    "What can you do?",
    "How many legs does a spider have?",
    "Write a sentence with the word lighthouse.",
    "Who was the first person on the moon?",
    "I had a bad day.",
    "Is a tomato a fruit or a vegetable?",
    "What is the difference between a crocodile and an alligator?",
    "Name a famous painter from the Netherlands.",
    "How do magnets work?",
    "Good night!",
    "Make up a name for a pet hamster.",
    "What should I read if I like detective stories?",
    "Do you believe in ghosts?",
    "Describe a beach in two sentences.",
    "What happened in 1989 in Germany?",
    "Which planet is the largest?",
    "Give me some advice on how to learn the guitar.",
    "What is the opposite of brave?",
    "Who are you?",
    "Finish this sentence: once upon a time",
    "Why do cats purr?",
    "What makes a good leader?",
    "Write a slogan for a bakery.",
    "Are dolphins mammals?",
    "What is machine learning?",
    "Congratulate my friend on her new job in one sentence.",
    "How old can a tortoise get?",
    "That was really helpful.",
    "What colours are in the rainbow?",
    "Is it rude to be late?",
    "Tell me something interesting about bees.",
)


def generate(
    seed: int = SEED,
    each: int = 12,
    subjects: Sequence[Subject] = SUBJECTS,
    never_right: Sequence[Subject] = NEVER_RIGHT,
    talk: Sequence[str] = TALK,
) -> list[Case]:
    """The cases, always the same for a seed.

    Args:
        seed: Of what is drawn.
        each: Requests for each tool, half of them plain, half with distractors.
        subjects: Tools that are asked for.
        never_right: Tools that are only on offer.
        talk: Requests that no tool fits.
    """
    draw = random.Random(seed)
    every = {subject.name: subject for subject in (*subjects, *never_right)}
    cases = []
    for subject in subjects:
        seen: set[str] = set()
        while len(seen) < each:
            prompt, arguments = _filled(subject, draw)
            if prompt not in seen:
                group = "plain" if len(seen) % 2 == 0 else "distractors"
                seen.add(prompt)
                cases.append(Case(group, prompt, _offer(subject, group, every, draw), subject.name, arguments))
    for prompt in talk:
        offered = draw.sample([subject.tool for subject in every.values() if subject.name != "define_word"], 4)
        cases.append(Case("talk", prompt, offered))
    return cases


def _filled(subject: Subject, draw: random.Random) -> tuple[str, dict[str, Any]]:
    values: dict[str, Any] = {}
    for argument in subject.arguments:
        values[argument.name] = draw.choice([value for value in argument.values if value not in values.values()])
    return draw.choice(list(subject.sentences)).format(**values), values


def _offer(subject: Subject, group: str, every: Mapping[str, Subject], draw: random.Random) -> list[dict[str, Any]]:
    near = list(subject.near) if group == "distractors" else []
    related = {subject.name, *subject.near, *(other.name for other in every.values() if subject.name in other.near)}
    others = draw.sample([name for name in every if name not in related], 3 if near else 2)
    names = [subject.name, *near, *others]
    draw.shuffle(names)
    return [every[name].tool for name in names]


_EDGES = " \t\n'\"“”‘’.,:;!?"
_LEADING = re.compile(r"^(the|a|an|at|on|in|to|for|of|by|and|that) ")


def same(expected: Any, found: Any) -> bool:
    """Whether an argument is right: numbers by value, texts without case, quotes, end marks and leading little words."""
    if isinstance(expected, int | float):
        return isinstance(found, int | float) and not isinstance(found, bool) and float(expected) == float(found)
    return isinstance(found, str) and _core(expected) == _core(found)


def _core(text: str) -> str:
    short, before = text.casefold().strip(_EDGES), ""
    while short != before:
        short, before = _LEADING.sub("", short).strip(_EDGES), short
    return short


def right(case: Case, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> bool:
    """Whether the calls are the one that the case wants, or none where it wants none."""
    if not case.tool:
        return not calls
    if len(calls) != 1 or calls[0][0] != case.tool or calls[0][1].keys() != case.arguments.keys():
        return False
    return all(same(value, calls[0][1][name]) for name, value in case.arguments.items())
