// The slider over thresholds: what the gate would have kept at each, from the figures in the page.
const data = JSON.parse(document.getElementById("gate-data").textContent);
const slider = document.getElementById("threshold");
const put = (id, text) => { document.getElementById(id).textContent = text; };
const percent = (value) => (100 * value).toFixed(1) + "\u00a0%";

function show() {
  const [kept, known, right] = data.kept[slider.value];
  const threshold = Number(data.thresholds[slider.value].toPrecision(6));
  put("at-threshold", threshold);
  slider.setAttribute("aria-valuetext", "threshold " + threshold);
  put("at-accepted", kept.toLocaleString("en"));
  put("at-coverage", percent(kept / data.rows));
  put("at-precision", known ? percent(right / known) : "–");
  put("at-interval", known ? data.intervals[slider.value].map(percent).join(" to ") : "not known");
}

if (slider) { // an empty pool has none
  slider.addEventListener("input", show);
  show();
  document.getElementById("explore").hidden = false;
}
