// Tells of a file that is too large before anything of it is sent: a server can only break off.
() => {
  const most = MOST_BYTES;
  const check = (event) => {
    if (!event.target.closest || !event.target.closest("#lrcn-file")) return;
    const files = event.dataTransfer ? event.dataTransfer.files : event.target.files;
    const panel = document.getElementById("lrcn-large");
    const large = [...(files || [])].find((file) => file.size > most);
    panel.hidden = !large;
    const said = document.getElementById("lrcn-said");
    if (said) said.classList.toggle("lrcn-past", Boolean(large));
    if (!large) return;
    const told = { name: large.name, size: `${(large.size / 1e6).toFixed(1)} MB` };
    panel.querySelectorAll("[data-told]").forEach((part) => {
      part.textContent = told[part.dataset.told];
    });
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.type === "change") event.target.value = "";
  };
  for (const type of ["change", "drop"]) document.addEventListener(type, check, true);
}
