// The explorer: lists, filters and dossiers out of the data blocks of this page. Text becomes text nodes, never markup.
(() => {
  const $ = (id) => document.getElementById(id);
  const words = JSON.parse($("words").textContent);
  const CHUNK = 60;

  // --- building blocks -------------------------------------------------------------------------------------------
  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes ?? {})) {
      if (value === false || value === null || value === undefined) continue;
      node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return node;
  }
  const theirs = (text) => el("bdi", {}, text);
  const tag = (text, kind) => el("span", {class: kind ? `tag ${kind}` : "tag"}, text);
  const many = (count, one, more) => `${count.toLocaleString("en")} ${count === 1 ? one : more ?? one + "s"}`;
  const picture = (base64, attributes) => el("img", {src: `data:image/webp;base64,${base64}`, ...attributes});
  const link = (address, text) => /^https?:\/\//.test(address) ? el("a", {href: address, rel: "noreferrer"}, text) : el("span", {}, text);
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

  function rows(pairs) {
    const list = el("dl", {class: "pairs"});
    for (const [name, ...values] of pairs) {
      const kept = values.filter((value) => value !== "" && value !== null && value !== undefined);
      if (kept.length) list.append(el("dt", {}, name), el("dd", {}, ...kept));
    }
    return list;
  }
  function table(caption, columns, lines) {
    const body = el("tbody");
    for (const line of lines) {
      body.append(el("tr", {}, ...line.map((cell, place) => el(place ? "td" : "th", place ? {} : {scope: "row"}, cell))));
    }
    const head = el("thead", {}, el("tr", {}, ...columns.map((column) => el("th", {scope: "col"}, column))));
    const whole = el("table", {class: "words"}, el("caption", {}, caption), head, body);
    return el("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": caption}, whole);
  }
  async function unpack(id) {
    const bytes = Uint8Array.from(atob($(id).textContent), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
  }

  // --- lists -----------------------------------------------------------------------------------------------------
  function lazyList(list, more, draw) {
    let items = [], shown = 0;
    function extend() {
      const part = document.createDocumentFragment();
      for (const item of items.slice(shown, shown + CHUNK)) part.append(draw(item));
      shown = Math.min(items.length, shown + CHUNK);
      list.append(part);
      more.hidden = shown >= items.length;
    }
    more.addEventListener("click", extend);
    new IntersectionObserver((seen) => { if (seen.some((each) => each.isIntersecting) && shown < items.length) extend(); }, {rootMargin: "600px"}).observe(more);
    return (found) => { items = found; shown = 0; list.replaceChildren(); extend(); };
  }
  function options(select, values) {
    for (const value of [...new Set(values)].sort()) select.append(el("option", {value}, value));
  }
  const asked = (form, name) => form.elements[name].value;

  function card(line) {
    const strip = $(`views-${line.id}`);
    const shown = strip
      ? picture(strip.textContent, {alt: "", width: words.strip[0] * line.views, height: words.strip[1], loading: "lazy", decoding: "async"})
      : el("div", {class: "none"}, "no picture");
    const counts = [`${line.known} of ${many(line.facts, "fact")} known`, many(line.views, "view")];
    if (line.spares) counts.push(many(line.spares, "spare"));
    if (line.duplicates) counts.push(many(line.duplicates, "duplicate"));
    return el("li", {}, shown, el("a", {href: `#subject-${line.id}`, dir: "auto"}, line.name),
      el("p", {class: "soft", dir: "auto"}, line.description), el("p", {class: "soft"}, counts.join(", ")));
  }
  function knownWord(line) {
    if (!line.qa && !line.vqa) return ["not asked", "gone"];
    if (line.qa === "known" && line.vqa === "known") return ["known by name and by face", "known"];
    if (line.qa === "known") return [`by name only: ${words.verdicts[line.vqa] ?? line.vqa}`, "gone"];
    if (line.vqa === "known") return [`by face only: ${words.verdicts[line.qa] ?? line.qa}`, "gone"];
    return ["not known", "gone"];
  }
  function roleTags(line) {
    const found = [];
    if (line.complete !== null) found.push(line.complete ? tag(`complete: forget from ${line.complete} %`, "forget") : tag("complete: retain", "retain"));
    if (line.selective) found.push(tag(`selective: ${line.selective}`, line.selective));
    if (line.personalized) found.push(tag(`personalized: ${line.personalized}`, line.personalized));
    return found;
  }
  function factItem(names) {
    return (line) => el("li", {},
      el("div", {}, el("a", {href: `#subject-${line.id}`}, theirs(names.get(line.subject).name), `: ${line.property_label}`), ": ", el("strong", {}, theirs(line.answer))),
      el("div", {class: "soft", dir: "auto"}, line.question),
      el("div", {class: "tags"}, tag(line.sensitivity), tag(...knownWord(line)), ...roleTags(line)));
  }
  const KNOWN = {
    both: (line) => line.qa === "known" && line.vqa === "known",
    name: (line) => line.qa === "known" && line.vqa !== "known",
    face: (line) => line.vqa === "known" && line.qa !== "known",
    none: (line) => (line.qa || line.vqa) && line.qa !== "known" && line.vqa !== "known",
    leak: (line) => line.vqa === "leaks_without_face",
    unasked: (line) => !line.qa && !line.vqa,
  };
  const STATES = {
    duplicates: (line) => line.duplicates > 0, "no-views": (line) => !line.views && !line.spares,
    "no-known": (line) => !line.known, living: (line) => line.living,
  };
  function hasRole(line, wanted) {
    const [setting, role] = wanted.split(":");
    if (setting === "complete") return line.complete !== null && (line.complete > 0) === (role === "forget");
    return line[setting] === role;
  }

  // --- a subject's dossier ---------------------------------------------------------------------------------------
  function pictures(found) {
    return found.views.map((view) => el("figure", {},
      view.thumb ? picture(view.thumb, {alt: `${view.view ? `View ${view.view}` : "Spare picture"} of ${found.name}`}) : el("div", {class: "none"}, "cannot be shown"),
      el("figcaption", {}, el("strong", {}, view.view ? `view ${view.view}` : "spare"), ` ${view.width} × ${view.height}. `,
        link(view.page, theirs(view.title)), ". ", link(view.licence_page, theirs(view.licence || "no licence stated")),
        view.attribution ? ", " : "", view.attribution ? theirs(view.attribution) : "", view.change ? `. ${view.change}` : "")));
  }
  function pair(found) {
    const side = (shown) => el("span", {}, shown.thumb ? picture(shown.thumb, {alt: shown.title || shown.image_id}) : "",
      el("a", {href: `#subject-${shown.subject_id}`}, shown.subject_id), " ", theirs(shown.title || shown.image_id),
      found.kept === shown.image_id ? el("strong", {}, " (kept)") : "");
    const how = found.exact ? "the same file" : `${many(found.distance, "bit")} apart`;
    return el("li", {}, el("div", {class: "pair"}, side(found.left), side(found.right)), el("div", {class: "soft"}, found.kept ? how : `${how}; neither is kept`));
  }
  function factBody(fact, found) {
    const forms = fact.forms.map((form) => [`${form.task}, ${words.modalities[form.modality]}`,
      el("span", {}, theirs(form.text), ...form.paraphrases.flatMap((text) => [el("br"), el("span", {class: "soft"}, "or: ", theirs(text))])),
      el("span", {}, ...form.options.flatMap((option, place) => {
        const letter = "ABCD"[place];
        const text = el(letter === form.label ? "mark" : "span", letter === form.label ? {class: "right"} : {}, `${letter}: `, theirs(option));
        return place ? [el("br"), text] : [text];
      }))]);
    const own = new Map(found.views.map((view) => [view.image_id, view.view ? `view ${view.view}` : "a spare"]));
    const parts = [rows([
      ["accepted answers", ...fact.accepted.flatMap((text, place) => place ? ["; ", theirs(text)] : [theirs(text)])],
      ["never offered as false", ...fact.withheld.flatMap((text, place) => place ? ["; ", theirs(text)] : [theirs(text)])],
      ["asks for", `${fact.answer_type}${fact.gated ? "; gated: goes to the access-controlled dataset" : ""}`],
      ["source statement", words.statements ? link(`${words.statements}${found.qid}#${fact.property_id.split("/")[0]}`, theirs(fact.statement_id)) : theirs(fact.statement_id),
        `, ${many(fact.references, "reference")}, ${fact.cited} naming a source`],
      ["basis", fact.legal_basis_hint],
      ["votes", fact.votes ? `${fact.votes_forget} of ${fact.votes} for forgetting` : ""],
      ...fact.left_out.map((drop) => [`left out at ${drop.stage}`, drop.because, drop.detail ? " " : "", drop.detail ? theirs(drop.detail) : ""]),
    ])];
    if (fact.roles.length) {
      const by = (setting) => fact.roles.filter((role) => role.setting === setting).sort((left, right) => left.ratio - right.ratio)
        .map((role) => tag(`${role.ratio ? `${role.ratio} %: ` : ""}${role.role}`, role.role));
      const chips = (setting) => { const found = by(setting); return found.length ? el("span", {class: "tags"}, ...found) : ""; };
      parts.push(rows(["complete", "selective", "personalized"].map((setting) => [setting, chips(setting)])));
    }
    if (forms.length) parts.push(table("Questions", ["form", "text", "options"], forms));
    for (const knowing of fact.knowing) {
      const verdict = `Asked ${words.modalities[knowing.modality]}: ${words.verdicts[knowing.verdict] ?? knowing.verdict}` +
        ` (right in ${knowing.agreeing} of ${knowing.asked} further asks${knowing.controls ? `, and in ${knowing.control_matches} of ${many(knowing.controls, "control")}` : ""})`;
      parts.push(table(verdict, ["condition", "reply", "prompt", "picture"], knowing.asks.map((ask) => [
        words.conditions[ask.condition] ?? ask.condition,
        el(ask.matched ? "mark" : "span", ask.matched ? {class: "right"} : {}, theirs(ask.error ? `no answer: ${ask.error}` : ask.reply || "(nothing)"), ask.matched ? " (right)" : ""),
        theirs(ask.prompt), ask.picture ? own.get(ask.picture) ?? `of ${ask.picture.split("-")[0]}` : "none"])));
    }
    return parts;
  }
  function factDetails(fact, line, found) {
    const body = el("div");
    const details = el("details", {class: "fact", id: `fact-${fact.fact_id}`},
      el("summary", {}, `${fact.property_label}${fact.topic ? " (" : ""}`, fact.topic ? theirs(fact.topic) : "", fact.topic ? ")" : "", ": ", el("strong", {}, theirs(fact.answer)),
        el("span", {class: "tags"}, tag(fact.sensitivity), fact.gated ? tag("gated", "gone") : "", tag(...knownWord(line)), ...roleTags(line))), body);
    details.addEventListener("toggle", () => { if (details.open && !body.hasChildNodes()) body.append(...factBody(fact, found)); });
    return details;
  }
  function dossier(found, lines) {
    const parts = [rows([
      ["QID", words.statements ? link(words.statements + found.qid, found.qid) : found.qid],
      ["also", ...found.aliases.flatMap((alias, place) => place ? ["; ", theirs(alias)] : [theirs(alias)])],
      ["description", theirs(found.description)], ["occupations", theirs(found.occupations.join(", "))],
      ["group", found.group], ["complete setting", found.rank ? `rank ${found.rank}; rank 1 is forgotten first` : ""],
      ["persona", found.persona ? el("span", {}, `${found.persona.replaceAll("_", " ")}: `, theirs(found.persona_text)) : ""],
    ])];
    parts.push(el("h3", {}, "Pictures"), found.views.length ? el("div", {class: "pictures"}, ...pictures(found)) : el("p", {}, "This subject has no picture."));
    if (found.pairs.length) parts.push(el("h3", {}, "Duplicates"), el("ul", {class: "pairs-list"}, ...found.pairs.map(pair)));
    parts.push(el("h3", {}, "Facts"), ...(found.facts.length ? found.facts.map((fact) => factDetails(fact, lines.get(fact.fact_id), found)) : [el("p", {}, "No facts.")]));
    if (found.drops.length) {
      parts.push(el("h3", {}, "Left out"), table("Statements and files that were left out", ["stage", "what", "why", "detail"],
        found.drops.map((drop) => [drop.stage, theirs(drop.item), drop.because, theirs(drop.detail)])));
    }
    return parts;
  }

  // --- views of the page -----------------------------------------------------------------------------------------
  const VIEWS = ["overview", "subjects", "facts", "subject"];
  function setView(name) {
    for (const view of VIEWS) $(view).hidden = view !== name;
    for (const each of document.querySelectorAll("nav a")) {
      if (each.hash === `#${name}` || (name === "subject" && each.hash === "#subjects")) each.setAttribute("aria-current", "page");
      else each.removeAttribute("aria-current");
    }
  }
  async function start() {
    if (!("DecompressionStream" in window)) {
      $("subject-count").textContent = $("fact-count").textContent = "This browser is too old for the lists: they need DecompressionStream (2023 or newer).";
      return;
    }
    setView("overview");
    const index = await unpack("index");
    const byId = new Map(index.subjects.map((line) => [line.id, line]));
    const lines = new Map(index.facts.map((line) => [line.id, line]));
    let order = index.subjects.map((line) => line.id);
    for (const line of index.subjects) line.hay = plain([line.id, line.qid, line.name, ...line.aliases, line.description].join(" "));
    for (const line of index.facts) line.hay = plain([byId.get(line.subject).name, line.property_label, line.property_id, line.question, line.answer].join(" "));
    const subjectForm = $("subject-filters"), factForm = $("fact-filters");
    options(subjectForm.elements.group, index.subjects.map((line) => line.group).filter(Boolean));
    options(subjectForm.elements.licence, index.subjects.flatMap((line) => line.licences));
    options(factForm.elements.property, index.facts.map((line) => line.property_label));
    options(factForm.elements.sensitivity, index.facts.map((line) => line.sensitivity));
    const fillSubjects = lazyList($("gallery"), $("more-subjects"), card);
    const fillFacts = lazyList($("fact-list"), $("more-facts"), factItem(byId));
    const allWords = (hay, text) => plain(text).split(/\s+/).every((word) => hay.includes(word));
    function filterSubjects() {
      const [text, group, licence, state] = ["words", "group", "licence", "state"].map((name) => asked(subjectForm, name));
      const found = index.subjects.filter((line) => (!group || line.group === group) && (!licence || line.licences.includes(licence)) &&
        (!state || STATES[state](line)) && allWords(line.hay, text));
      order = found.map((line) => line.id);
      $("subject-count").textContent = `${many(found.length, "subject")} of ${index.subjects.length.toLocaleString("en")}`;
      fillSubjects(found);
    }
    function filterFacts() {
      const [text, property, sensitivity, known, role] = ["words", "property", "sensitivity", "known", "role"].map((name) => asked(factForm, name));
      const found = index.facts.filter((line) => (!property || line.property_label === property) && (!sensitivity || line.sensitivity === sensitivity) &&
        (!known || KNOWN[known](line)) && (!role || hasRole(line, role)) && allWords(line.hay, text));
      $("fact-count").textContent = `${many(found.length, "fact")} of ${index.facts.length.toLocaleString("en")}`;
      fillFacts(found);
    }
    const drawn = {subjects: false, facts: false};
    function drawList(name) {
      if (drawn[name]) return;
      drawn[name] = true;
      (name === "subjects" ? filterSubjects : filterFacts)();
    }
    for (const [form, filter] of [[subjectForm, filterSubjects], [factForm, filterFacts]]) {
      let waiting = 0;
      form.hidden = false;
      form.addEventListener("submit", (event) => event.preventDefault());
      form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 120); });
    }
    let open = null;
    async function showSubject(id, fact) {
      setView("subject");
      if (open !== id) {
        const found = $(`dossier-${id}`) ? await unpack(`dossier-${id}`) : null;
        open = id;
        $("subject-title").replaceChildren(found ? theirs(found.name) : `There is no subject ${id}`);
        $("dossier").replaceChildren(...(found ? dossier(found, lines) : []));
        const around = order.includes(id) ? order : index.subjects.map((line) => line.id);
        const place = around.indexOf(id);
        for (const [name, step] of [["previous", -1], ["next", 1]]) {
          const other = place < 0 ? undefined : around[place + step];
          if (other) $(name).href = `#subject-${other}`; else $(name).removeAttribute("href");
        }
      }
      const details = fact ? $(`fact-${id}-${fact}`) : null;
      if (details) { details.open = true; details.scrollIntoView(); details.firstChild.focus(); }
      else { scrollTo(0, 0); $("subject-title").focus({preventScroll: true}); }
    }
    async function route() {
      const name = decodeURIComponent(location.hash.slice(1));
      const subject = /^subject-(\d+)(?:-(\d\d))?$/.exec(name);
      if (subject) return showSubject(subject[1], subject[2]);
      if (name === "subjects" || name === "facts") { setView(name); drawList(name); scrollTo(0, 0); $(`${name}-title`).focus({preventScroll: true}); return; }
      setView("overview");
      if (name && name !== "overview") $(name)?.scrollIntoView();
    }
    addEventListener("hashchange", route);
    document.querySelector("details.keys").hidden = false;
    addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "");
      if (event.key === "Escape" && !$("subject").hidden) location.hash = "subjects";
      else if (event.key === "Escape" && typing) document.activeElement.blur();
      else if (typing) return;
      else if (event.key === "/") {
        event.preventDefault();
        if ($("facts").hidden) { if ($("subjects").hidden) { setView("subjects"); history.pushState(null, "", "#subjects"); drawList("subjects"); } subjectForm.elements.words.focus(); }
        else factForm.elements.words.focus();
      } else if ((event.key === "n" || event.key === "p") && !$("subject").hidden) $(event.key === "n" ? "next" : "previous").click();
      else if ((event.key === "ArrowRight" || event.key === "ArrowLeft") && document.activeElement?.closest("#gallery")) {
        const item = document.activeElement.closest("li");
        (event.key === "ArrowRight" ? item.nextElementSibling : item.previousElementSibling)?.querySelector("a").focus();
      }
    });
    await route();
    document.documentElement.dataset.ready = "yes";
  }
  start();
})();
