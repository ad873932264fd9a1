"""Score files of two machine types of nobody's challenge, and their ground truth in the evaluators' form."""

MACHINES = ("drill", "3DPress_2")
DECISIONS = "decision_result_{}_section_00_test.csv"
SCORES = "anomaly_score_{}_section_00_test.csv"
NAMES = [
    f"section_00_{domain}_test_{label}_{number:04d}.wav"
    for domain in ("source", "target")
    for label in ("normal", "anomaly")
    for number in range(5)
]


def write_scores(folder):
    """Scores and decisions, whose clips' names tell labels and domains."""
    for number, machine in enumerate(MACHINES):
        scores = [f"{name},{(7 * index + number) % 11 + ('anomaly' in name)}\n" for index, name in enumerate(NAMES)]
        (folder / SCORES.format(machine)).write_text("".join(scores))
        decisions = [f"{name},{index % 2}\n" for index, name in enumerate(NAMES)]
        (folder / DECISIONS.format(machine)).write_text("".join(decisions))
    return folder


def write_truth(root):
    """Ground truth of both machine types; clips have plain names there."""
    for machine in MACHINES:
        for folder, word in (("ground_truth_data", "anomaly"), ("ground_truth_domain", "target")):
            path = root / folder / f"ground_truth_{machine}_section_00_test.csv"
            path.parent.mkdir(exist_ok=True)
            rows = [f"section_00_{index:04d}.wav,{int(word in name)}\n" for index, name in enumerate(NAMES)]
            path.write_text("".join(rows))
    return root


def make_names_plain(scores):
    """Take labels and domains from the clips' names."""
    for path in scores.glob("*.csv"):
        rows = [line.split(",") for line in path.read_text().splitlines()]
        path.write_text("".join(f"section_00_{index:04d},{value}\n" for index, (_, value) in enumerate(rows)))


def replace_line(path, number, text):
    """Set one line, counted from 1, of a file."""
    lines = path.read_text().splitlines()
    lines[number - 1] = text
    path.write_text("\n".join(lines) + "\n")
