"""Data sets like those that people begin with, made here."""

from pathlib import Path

import numpy as np
from PIL import Image


def titanic(folder: Path, rows: int = 300, more: int = 120) -> None:
    """Kaggle's: train.csv with labels, test.csv without; ids, free text, and rows that contradict."""
    random = np.random.default_rng(0)
    for name, start, end in (("train", 1, rows + 1), ("test", rows + 1, rows + more + 1)):
        survived = "Survived," if name == "train" else ""
        lines = [f"PassengerId,{survived}Pclass,Name,Sex,Age,SibSp,Ticket,Fare,Cabin,Embarked"]
        for row in range(start, end):
            sex = str(random.choice(["male", "female"]))
            lived = f"{int(random.random() < (0.8 if sex == 'female' else 0.2))}," if survived else ""
            age = "" if random.random() < 0.2 else str(random.integers(1, 80))
            fare = random.choice(["7.75", "8.05", f"{random.uniform(5, 90):.4f}"])
            cabin = "" if random.random() < 0.8 else f"C{random.integers(1, 60)}"
            ticket = f"A/5 {random.integers(1000, 99999)}"
            lines.append(
                f'{row},{lived}{random.integers(1, 4)},"Doe, Mr. {row}",{sex},{age},{random.integers(0, 2)},'
                f"{ticket},{fare},{cabin},{random.choice(['S', 'C', 'Q', ''])}"
            )
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


def penguins(folder: Path, rows: int = 210) -> None:
    """Every row has a label; NA for what is missing; numbers of several sizes."""
    random = np.random.default_rng(1)
    lines = ["species,island,bill_length_mm,body_mass_g,sex,year"]
    for row in range(rows):
        kind = row % 3
        length = "NA" if row == 7 else f"{random.normal(38 + 5 * kind, 2):.1f}"
        mass = "NA" if row == 7 else str(int(random.normal(3700 + 500 * kind, 200)))
        lines.append(
            f"{('Adelie', 'Chinstrap', 'Gentoo')[kind]},{random.choice(['Biscoe', 'Dream'])},{length},{mass},"
            f"{random.choice(['male', 'female', 'NA'])},{2007 + row % 3}"
        )
    (folder / "penguins.csv").write_text("\n".join(lines) + "\n")


def adult(folder: Path, rows: int = 400) -> None:
    """As UCI gives it: no header, a space after each comma, ? for what is missing."""
    random = np.random.default_rng(2)
    lines = []
    for _ in range(rows):
        age, hours = random.integers(17, 90), random.integers(1, 99)
        rich = ">50K" if age + hours + random.normal(0, 12) > 100 else "<=50K"
        work = random.choice(["Private", "State-gov", "?"])
        school = random.choice(["Bachelors", "11th", "HS-grad"])
        lines.append(f"{age}, {work}, {random.integers(20000, 900000)}, {school}, {hours}, {rich}")
    (folder / "adult.data").write_text("\n".join(lines) + "\n")


def air_quality(folder: Path, rows: int = 300) -> None:
    """As UCI gives it: semicolons, decimal commas, dates with slashes, hours with points; values."""
    random = np.random.default_rng(3)
    lines = ["Date;Time;CO(GT);PT08.S1(CO);T;RH;NOx"]
    for row in range(rows):
        temperature, carbon = random.normal(18, 6), random.uniform(0.3, 6)
        value = (
            "" if row % 3 else f"{80 + 60 * carbon - temperature + random.normal(0, 5):.1f}".replace(".", ",")
        )
        numbers = (
            f"{carbon:.1f};{int(900 + 100 * carbon)};{temperature:.1f};{random.uniform(20, 80):.1f}".replace(
                ".", ","
            )
        )
        lines.append(f"{1 + row % 28:02}/{1 + row // 28 % 12:02}/2004;{row % 24:02}.00.00;{numbers};{value}")
    (folder / "AirQualityUCI.csv").write_text("\n".join(lines) + "\n")


def photos(folder: Path, size: int = 24, each: int = 20) -> None:
    """Photos in train/ and val/, a folder for each class, and an unlabeled one."""
    random = np.random.default_rng(4)
    for part, count in (("train", each), ("val", each // 2), ("unlabeled", 2 * each)):
        for name, color in (("red", 0), ("green", 1)):
            place = folder / part / ("" if part == "unlabeled" else name)
            place.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = random.integers(0, 120, (size, size + 8, 3), dtype=np.uint8)
                pixels[..., color] += 100
                Image.fromarray(pixels).save(place / f"{name}{number}.png")


def letters(folder: Path, each: int = 12, classes: int = 16, size: int = 50) -> None:
    """Idx files of 16 classes at 50×50, with a test part and images without labels."""
    random = np.random.default_rng(5)
    patterns = random.integers(0, 200, (classes, size, size))
    for part, count in (("train", each), ("t10k", 4), ("unlabeled", 6)):
        labels = np.tile(np.arange(classes, dtype=np.uint8), count)
        pixels = (patterns[labels] + random.integers(0, 56, (len(labels), size, size))).astype(np.uint8)
        arrays = {f"{part}-images-idx3-ubyte": pixels} | (
            {} if part == "unlabeled" else {f"{part}-labels-idx1-ubyte": labels}
        )
        for name, values in arrays.items():
            head = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
            (folder / name).write_bytes(head + values.tobytes())


LIKES = {  # what makes it, the target column, and what init must have written
    "titanic": (
        titanic,
        "Survived",
        {"data.ignore_columns": ["PassengerId", "Name", "Ticket"], "split.labels_per_class": "all"},
    ),
    "penguins": (penguins, "species", {"split.empty_pool": "allow"}),
    "adult": (adult, "column_6", {"data.header": False, "split.empty_pool": "allow"}),
    "air quality": (
        air_quality,
        "NOx",
        {
            "data.decimal": ",",
            "data.target_kind": "regression",
            "data.date_columns": {"Date": "%d/%m/%Y", "Time": "%H.%M.%S"},
            "pseudo_label.rule": "agreement",
        },
    ),
    "photos": (
        photos,
        None,
        {"data.source": "images", "data.image_size": 24, "split.validation_per_class": None},
    ),
    "letters": (letters, None, {"data.source": "arrays", "split.holdout_fraction": None}),
}
