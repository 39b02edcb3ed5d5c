// The review of a sample: one fact at a time, verdicts kept by the browser and saved as CSV. Text becomes text nodes.
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const pictures = JSON.parse($("pictures").textContent);
  const column = Object.fromEntries(data.columns.map((name, place) => [name, place]));
  const cell = (row, name) => row[column[name]].replace(/^'(?=[=+\-@\t\r])/, "");
  const KEY = `ppubench review: ${data.sample}`;

  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes ?? {})) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }
  const theirs = (text) => el("bdi", {}, text);
  const link = (address, text) => /^https?:\/\//.test(address)
    ? el("a", {href: address, rel: "noreferrer", target: "_blank"}, theirs(text)) : theirs(text);

  // --- what was said ---------------------------------------------------------------------------------------------
  const facts = data.rows.map((row) => ({row, id: cell(row, "sample_id"), shown: cell(row, "shown")}));
  const said = new Map();  // sample_id -> {verdict, reason}
  let history = [];  // [sample_id, what was said before or null], the last one last
  let at = 0;
  function recall() {
    let kept = null;
    try {
      kept = JSON.parse(localStorage.getItem(KEY) ?? "{}");
      localStorage.setItem(KEY, JSON.stringify(kept));
    } catch { $("unkept").hidden = false; return; }
    for (const fact of facts) {
      const [verdict, reason, shown] = kept.said?.[fact.id] ?? [];
      if (shown === fact.shown && (verdict === "accept" || verdict === "reject")) said.set(fact.id, {verdict, reason: String(reason)});
    }
    history = (kept.history ?? []).filter(([id]) => said.has(id));
    const open = facts.findIndex((fact) => !said.has(fact.id));
    at = facts[kept.at] ? kept.at : Math.max(0, open);
  }
  function keep() {
    const all = facts.filter((fact) => said.has(fact.id)).map((fact) => [fact.id, [said.get(fact.id).verdict, said.get(fact.id).reason, fact.shown]]);
    try { localStorage.setItem(KEY, JSON.stringify({said: Object.fromEntries(all), history, at})); } catch { $("unkept").hidden = false; }
  }
  function csv() {
    const quoted = (text) => /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    const safe = (text) => /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    const lines = facts.map((fact) => fact.row.map((text, place) => {
      const words = said.get(fact.id);
      if (words && place === column.verdict) return words.verdict;
      return quoted(words && place === column.reason ? safe(words.reason) : text);
    }).join(","));
    return [data.columns.join(","), ...lines, ""].join("\n");
  }

  // --- what is shown ---------------------------------------------------------------------------------------------
  function pairs(list, lines) {
    list.replaceChildren(...lines.filter(([, value]) => value && (value.textContent ?? value) !== "").flatMap(([name, value]) => [el("dt", {}, name), el("dd", {dir: "auto"}, value)]));
  }
  function showPicture(row, id) {
    const place = pictures.of[id];
    const image = place === undefined ? el("div", {class: "none"}, "no picture")
      : el("img", {src: `data:image/webp;base64,${pictures.contents[place]}`, alt: `The picture that is shown of ${cell(row, "subject")}`});
    const credit = cell(row, "picture_credit");
    $("picture").replaceChildren(image, el("figcaption", {}, link(cell(row, "picture_link"), cell(row, "picture")), credit ? ` (${credit})` : ""));
  }
  function showFact() {
    const {row, id} = facts[at];
    const get = (name) => cell(row, name);
    $("who").replaceChildren(link(get("subject_link"), get("subject")));
    $("about").textContent = `${at + 1} of ${facts.length}. ${get("description")}`;
    showPicture(row, id);
    $("question").textContent = get("question");
    $("picture-question").textContent = get("picture_question");
    $("answer").textContent = get("answer");
    const others = get("accepted").split(" | ").filter((text) => text && text !== get("answer"));
    $("accepted").replaceChildren(...(others.length ? ["also right: ", ...others.flatMap((text, place) => place ? ["; ", theirs(text)] : [theirs(text)])] : []));
    $("options").replaceChildren(..."abcd".split("").map((letter) => {
      const right = letter.toUpperCase() === get("right_option");
      return el("li", right ? {class: "right"} : {}, `${letter.toUpperCase()}: `, theirs(get(`option_${letter}`)), right ? " (right)" : "");
    }));
    const value = get("value_id");
    const item = get("subject_link") && /^Q\d+$/.test(value) ? link(get("subject_link").replace(/Q\d+$/, value), value) : value;
    pairs($("statement"), [
      ["property", get("property")], ["qualified by", get("qualified_by")], ["value", item], ["references", get("references")],
      ["class", get("sensitivity")], ["statement", link(get("statement_link"), get("statement_id"))],
    ]);
    pairs($("more"), [
      ["cloze", get("cloze")], ["cloze with the picture", get("picture_cloze")], ["paraphrases", get("paraphrases")],
      ["never offered as false", get("never_offered")], ["sample", id],
    ]);
  }
  function tagOf(id) {
    const words = said.get(id);
    if (!words) return [];
    const text = words.verdict === "accept" ? "accepted" : words.reason ? `rejected: ${words.reason}` : "rejected";
    return [" ", el("span", {class: `tag ${words.verdict}`}, text)];
  }
  function drawLine(place) {
    const {row, id} = facts[place], line = $("list").children[place];
    line.replaceChildren(el("a", {href: `#fact-${place + 1}`}, theirs(cell(row, "subject")), `: ${cell(row, "property")}`), ": ", theirs(cell(row, "answer")), ...tagOf(id));
    if (place === at) line.setAttribute("aria-current", "true"); else line.removeAttribute("aria-current");
  }
  function draw(before) {
    if (facts.length) showFact();
    for (const place of new Set([before ?? at, at])) if (facts[place]) drawLine(place);
    const words = said.get(facts[at]?.id);
    for (const name of ["accept", "reject"]) $(name).setAttribute("aria-pressed", String(words?.verdict === name));
    const accepted = [...said.values()].filter((each) => each.verdict === "accept").length;
    $("bar").value = said.size;
    $("count").textContent = `${said.size} of ${facts.length} judged: ${accepted} accepted, ${said.size - accepted} rejected`;
    $("done").hidden = !facts.length || said.size < facts.length;
    $("undo").disabled = !history.length;
    $("back").disabled = at === 0;
    $("next").disabled = at >= facts.length - 1;
  }
  function say(text) { $("said").textContent = text; }

  // --- what the reader does --------------------------------------------------------------------------------------
  function go(place) {
    if (place < 0 || place >= facts.length) return;
    const before = at;
    at = place;
    closeWhy();
    draw(before);
    keep();
    if ($("fact").getBoundingClientRect().top < 0 || innerWidth <= 704) $("review").scrollIntoView();
  }
  function judge(verdict, reason) {
    const {id} = facts[at];
    history.push([id, said.get(id) ?? null]);
    said.set(id, {verdict, reason});
    say(`${verdict === "accept" ? "Accepted" : "Rejected"}: ${cell(facts[at].row, "subject")}, ${cell(facts[at].row, "property")}.`);
    const round = facts.map((_, step) => (at + 1 + step) % facts.length);
    const open = round.find((place) => !said.has(facts[place].id));
    drawLine(at);
    if (open === undefined) { closeWhy(); draw(); keep(); $("done-title").focus(); } else go(open);
  }
  function undo() {
    const last = history.pop();
    if (!last) return;
    const [id, before] = last;
    if (before) said.set(id, before); else said.delete(id);
    const place = facts.findIndex((fact) => fact.id === id);
    go(place);
    say(`Taken back: ${cell(facts[place].row, "subject")}, ${cell(facts[place].row, "property")}.`);
  }
  function openWhy() {
    $("why").hidden = false;
    $("own").value = said.get(facts[at].id)?.reason ?? "";
    if (matchMedia("(hover: hover)").matches) { $("own").focus(); $("own").select(); } else $("why").scrollTo(0, 0);
    say("Press 1 to 8, or write why and press Enter.");
  }
  function closeWhy() {
    if ($("why").hidden) return;
    $("why").hidden = true;
    say("");
    $("fact").focus({preventScroll: true});
  }
  const reasons = [...document.querySelectorAll("#why li button")];
  const KEYS = {
    a: () => judge("accept", ""), r: openWhy, n: () => go(at + 1), p: () => go(at - 1), u: undo,
    ArrowRight: () => go(at + 1), ArrowLeft: () => go(at - 1),
  };
  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (!$("why").hidden) {
      if (event.key === "Escape") closeWhy();
      else if (/^[1-9]$/.test(event.key) && reasons[event.key - 1] && (event.target !== $("own") || untouched())) {
        event.preventDefault();
        reasons[event.key - 1].click();
      }
      return;
    }
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (act && facts.length) { event.preventDefault(); act(); }
  }
  // A number is the first that is typed where a reason is asked for, or replaces the reason given before.
  const untouched = () => $("own").selectionStart === 0 && $("own").selectionEnd === $("own").value.length;

  function start() {
    recall();
    $("tool").hidden = false;
    $("list").append(...facts.map(() => el("li")));
    facts.forEach((_, place) => drawLine(place));
    for (const name of ["accept", "reject", "next", "back", "undo"]) {
      $(name).addEventListener("click", {accept: KEYS.a, reject: KEYS.r, next: KEYS.n, back: KEYS.p, undo: KEYS.u}[name]);
    }
    for (const button of reasons) button.addEventListener("click", () => judge("reject", button.value));
    $("never-mind").addEventListener("click", closeWhy);
    $("why").addEventListener("submit", (event) => {
      event.preventDefault();
      const words = $("own").value.trim();
      if (words) judge("reject", words); else say("Say why: press 1 to 8, or write a few words.");
    });
    $("download").addEventListener("click", () => { $("download").href = `data:text/csv;charset=utf-8,${encodeURIComponent(`\ufeff${csv()}`)}`; });
    document.addEventListener("keydown", pressed);
    const route = () => {
      const found = /^#fact-(\d+)$/.exec(location.hash);
      if (found) { go(Number(found[1]) - 1); $("review").scrollIntoView(); $("fact").focus({preventScroll: true}); }
    };
    addEventListener("hashchange", route);
    addEventListener("beforeunload", (event) => { if (!$("unkept").hidden && said.size) event.preventDefault(); });
    draw();
    route();
    document.documentElement.dataset.ready = "yes";
  }
  start();
})();
