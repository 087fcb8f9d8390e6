"""Messages to a shop with any number of five labels, made here: each is one to three sentences, shuffled.

A sentence has one label or none, so the labels of a message are known. The sentences of the test messages are in no
other message. ``python make.py`` writes seed.csv, pool.csv and test.csv beside this file.
"""

import csv
import random
from pathlib import Path

SENTENCES = {
    "billing": """
        I was charged twice for the same order.
        The invoice shows a price that is not the one on your site.
        Why is there an extra fee on my card statement?
        Your invoice has the wrong VAT number on it.
        The discount code was not taken off the total.
        Can you send me the invoice for March once more?
        My card was debited although I cancelled the payment.
        The amount on the bill does not match what I agreed to.
        You billed me for three months instead of one.
        I need an invoice with our company's address.
        ---
        There are two payments of 39 euros on my bank account for one pair of shoes.
        The receipt lists an item that I never bought.
        Could you put my purchase order number on the bill?
        I still do not understand what the service charge of 4.90 is for.
        My bank says that you took the payment twice.
        The tax on your bill is computed wrongly.
        """,
    "delivery": """
        My parcel has not arrived yet.
        Tracking has said out for delivery for four days.
        The courier left the box in the rain.
        The package came with a crushed corner and a broken lamp inside.
        Where is my order, it should have been here on Monday?
        The driver never rang the bell.
        It was delivered to the wrong street.
        Half of the order is missing from the box.
        Can it be sent to the office instead of my home?
        The shipment is stuck at customs.
        ---
        I have been waiting for the postman for two weeks now.
        The tracking number that you sent does not exist.
        Somebody else signed for my package.
        The carton was open when it got here.
        When will you ship the second part of my order?
        The carrier says that it lost the consignment.
        """,
    "account": """
        I cannot log in since yesterday.
        The link to reset my password does not work.
        Please change the e-mail address of my account.
        How do I delete my profile?
        The site says that my account is locked.
        I never get the code for signing in.
        My user name is shown with the wrong spelling.
        The app signs me out every few minutes.
        Can I merge my two accounts?
        Someone has changed my password without asking me.
        ---
        Your page does not accept my password any more.
        I would like to close my login for good.
        Where can I turn on two-factor sign-in?
        My registration was never confirmed.
        The app forgets who I am each time that I open it.
        I want to be registered under my new surname.
        """,
    "refund": """
        I want my money back.
        Please refund the jacket that I returned.
        When will the refund be on my card?
        I send the kettle back and expect the full price.
        It has been three weeks and I have not been reimbursed.
        Can I return the shoes and get the money?
        You promised to pay back the difference.
        I would rather have a refund than a voucher.
        The refund is ten euros short.
        Please cancel the order and return what I paid.
        ---
        I ask you to reimburse me at once.
        How long does it take until I get my money for the chair that I returned?
        A credit note is no use to me, give me back what I paid.
        I have sent the blender back and heard nothing of the repayment.
        Could I get half of the price back as it has a scratch?
        Kindly transfer the sum back to my account.
        """,
    "praise": """
        Your support was really kind.
        I love the new coat, it fits perfectly.
        Thank you so much for the quick help.
        This is the best shop I know.
        The quality is wonderful.
        Great service, as always.
        My daughter is delighted with the bike.
        I am very happy with the headphones.
        What a lovely packaging, well done.
        Five stars from me.
        ---
        The woman on the phone was friendly and patient.
        These are the nicest boots that I have ever had.
        I can only recommend you to everyone.
        You have made my week, many thanks.
        The lamp looks even better than in the pictures.
        Keep up the excellent work.
        """,
    "": """
        Do you have a shop in Lyon?
        What are your opening hours at Easter?
        Is the blue one made of wool?
        Which size do I need if I am 1.80 m tall?
        Do you also sell gift cards?
        I am looking for a present for my brother.
        Will there be new colours in spring?
        How do I wash it?
        Are you hiring at the moment?
        Is the toaster good for thick slices?
        ---
        Can I park near your store?
        Does the tent have a second door?
        How heavy is the larger suitcase?
        Is there a catalogue on paper?
        Which batteries does the clock take?
        Do you plan to stock garden chairs?
        """,
}
SIZES = {"seed": 60, "pool": 120, "test": 60}


def main() -> None:
    """Write the three files."""
    drawn = random.Random(17)
    known, new = ({label: _lines(text.split("---")[part]) for label, text in SENTENCES.items()} for part in (0, 1))
    made: set[str] = set()
    for split, size in SIZES.items():
        with (Path(__file__).parent / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["text", "labels"])
            for _ in range(size):
                rows.writerow(_message(drawn, new if split == "test" else known, made))


def _message(drawn: random.Random, sentences: dict[str, list[str]], made: set[str]) -> tuple[str, str]:
    """A text that was not made before, and its labels with ; between, or []."""
    while True:
        labels = drawn.sample(list(sentences), drawn.choices((1, 2, 3), (4, 4, 2))[0])
        text = " ".join(drawn.choice(sentences[label]) for label in labels)
        if text not in made:
            made.add(text)
            return text, ";".join(sorted(label for label in labels if label)) or "[]"


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


if __name__ == "__main__":
    main()
