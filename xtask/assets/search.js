// Searches all pages in the reader's own browser. index.js, made with the pages, is loaded at the first key.
(() => {
  const top = document.body.dataset.top;
  const box = document.getElementById("search");
  const found = document.getElementById("found");
  const contents = document.getElementById("contents");
  const shownAtMost = 20;

  const load = () => new Promise((done) => {
    if (window.pages) return done();
    const script = document.createElement("script");
    script.src = top + "index.js";
    script.onload = done;
    document.head.append(script);
  });

  // All words must be on the page; titles count most, then headings, then the text.
  const search = (words) => {
    const hits = [];
    for (const [path, title, headings, text] of window.pages) {
      const all = text.toLowerCase();
      if (!words.every((word) => all.includes(word))) continue;
      const heading = headings.find(([, name]) => words.every((word) => name.toLowerCase().includes(word)));
      const inTitle = words.every((word) => title.toLowerCase().includes(word));
      const at = Math.max(0, all.indexOf(words[0]) - 40);
      hits.push({
        href: top + path + (heading && !inTitle ? "#" + heading[0] : ""),
        name: heading && !inTitle ? title + ": " + heading[1] : title,
        around: text.slice(at, at + 120),
        weight: inTitle ? 2 : heading ? 1 : 0,
      });
    }
    return hits.sort((a, b) => b.weight - a.weight).slice(0, shownAtMost);
  };

  const show = async () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    found.hidden = words.length === 0;
    contents.hidden = !found.hidden;
    if (found.hidden) return;
    await load();
    found.replaceChildren(...search(words).map((hit) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      const around = document.createElement("small");
      link.href = hit.href;
      link.textContent = hit.name;
      around.textContent = hit.around;
      item.append(link, around);
      return item;
    }));
    if (!found.firstChild) found.textContent = "Nothing found.";
  };

  box.addEventListener("input", show);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== box) {
      event.preventDefault();
      box.focus();
    }
  });
})();
