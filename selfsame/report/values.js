// The slider over spreads: what the gate would have kept at each, from the figures in the page.
const data = JSON.parse(document.getElementById("gate-data").textContent);
const slider = document.getElementById("spread");
const put = (id, text) => { document.getElementById(id).textContent = text; };
const percent = (value) => value === null ? "–" : (100 * value).toFixed(1) + "\u00a0%";

function show() {
  const [kept, error, close] = data.kept[slider.value];
  const spread = Number(data.spreads[slider.value].toPrecision(3));
  put("at-spread", spread);
  slider.setAttribute("aria-valuetext", "largest spread " + spread);
  put("at-accepted", kept.toLocaleString("en"));
  put("at-coverage", percent(kept / data.rows));
  put("at-error", error === null ? "–" : Number(error.toPrecision(4)).toLocaleString("en"));
  put("at-close", percent(close));
}

if (slider) { // an empty pool has none
  slider.addEventListener("input", show);
  show();
  document.getElementById("explore").hidden = false;
}
