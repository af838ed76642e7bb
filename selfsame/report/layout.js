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
