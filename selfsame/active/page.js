const request = JSON.parse(document.getElementById("request").textContent);
const at = (id) => document.getElementById(id);
const place = `selfsame-answers-${request.name}`;
// One entry for every row that was passed: its answer, or null where it was skipped.
let passed = [];
let keeps = true;

function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(place));
    passed = kept?.passed ?? [];
    at("annotator").value = kept?.annotator ?? "";
  } catch {
    keeps = false;
  }
}

function keep() {
  try {
    localStorage.setItem(place, JSON.stringify({ passed, annotator: at("annotator").value }));
  } catch {
    keeps = false;
  }
}

function show() {
  const answers = passed.filter(Boolean).length;
  const row = request.rows[passed.length];
  at("progress").textContent =
    `${answers} labeled, ${passed.length - answers} skipped, ${request.rows.length - passed.length} to go`;
  at("bar").value = passed.length;
  at("undo").disabled = passed.length === 0;
  at("skip").disabled = !row;
  for (const button of document.querySelectorAll(".class")) button.disabled = !row;
  at("download").disabled = answers === 0 || !at("annotator").value.trim();
  at("hint").textContent = [
    row ? "" : "That was the last one. ",
    answers && !at("annotator").value.trim() ? "Enter your name to download the answers. " : "",
    keeps ? "" : "This browser keeps nothing for this page: download the answers before you close it.",
  ].join("");
  at("row").replaceChildren(...(row ? [drawn(row)] : []));
}

function drawn({ image, features }) {
  if (image) {
    const picture = document.createElement("img");
    picture.src = image;
    picture.alt = `Picture ${passed.length + 1} of ${request.rows.length}`;
    return picture;
  }
  const table = document.createElement("table");
  for (const [name, value] of features) {
    const line = table.insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    line.append(head);
    line.insertCell().textContent = value;
  }
  return table;
}

function pass(label) {
  if (passed.length === request.rows.length) return;
  const labeled_at = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  passed.push(label === null ? null : { label, labeled_at });
  keep();
  show();
}

function undo() {
  passed.pop();
  keep();
  show();
}

function download() {
  const quoted = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const annotator = at("annotator").value.trim();
  const lines = passed.flatMap((answer, number) =>
    answer ? [[request.rows[number].example_id, answer.label, annotator, answer.labeled_at]] : [],
  );
  const table = [["example_id", "label", "annotator", "labeled_at"], ...lines];
  const text = table.map((line) => line.map(quoted).join(",") + "\n").join("");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = "answers.csv";
  link.click();
}

document.addEventListener("keydown", (event) => {
  if (event.target === at("annotator") || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  const button = [...document.querySelectorAll(".class")].find((each) => each.dataset.key === event.key);
  if (button) pass(button.dataset.label);
  else if (event.key === "Backspace") undo();
  else if (event.key === "ArrowRight") pass(null);
  else return;
  event.preventDefault();
});
for (const button of document.querySelectorAll(".class")) {
  button.addEventListener("click", () => pass(button.dataset.label));
}
at("undo").addEventListener("click", undo);
at("skip").addEventListener("click", () => pass(null));
at("download").addEventListener("click", download);
at("annotator").addEventListener("input", () => {
  keep();
  show();
});
load();
show();
