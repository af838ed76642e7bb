// The slider over the gate's levels: what each would have kept, as the page holds it.
const data = JSON.parse(document.getElementById("gate-data").textContent);
const slider = document.getElementById("level");

function show() {
  data[slider.value].forEach((text, place) => { document.getElementById("at-" + place).textContent = text; });
  slider.setAttribute("aria-valuetext", data[slider.value][0]);
}

if (slider) { // an empty pool has none
  slider.addEventListener("input", show);
  show();
  document.getElementById("explore").hidden = false;
}

// A link of the drawing opens the box of the list that it leads into.
function reveal(hash) {
  const place = document.getElementById(decodeURIComponent(hash.slice(1)));
  const box = place?.closest("details");
  if (box) { box.open = true; place.scrollIntoView({ block: "center" }); }
}
document.querySelector(".graph").addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (link) reveal(link.getAttribute("href"));
});
reveal(location.hash);
