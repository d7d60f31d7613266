// Tabs, and buttons that copy. Without this script both tabs stand one below the other, and texts are selected by hand.
"use strict";

// Whether the text is in the clipboard. `select` selects it for browsers that do not let a page write there.
async function copied(text, select) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    select();
    return document.execCommand("copy");
  }
}

function button(name) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "copy";
  made.textContent = name;
  return made;
}

for (const command of document.querySelectorAll("pre.command")) {
  const copy = button("Copy");
  copy.addEventListener("click", async () => {
    const done = await copied(command.textContent, () => getSelection().selectAllChildren(command));
    copy.textContent = done ? "Copied" : "Select it and press Ctrl+C";
    setTimeout(() => { copy.textContent = "Copy"; }, 2000);
  });
  command.before(copy);
}

const ticket = document.querySelector(".ticket");
if (ticket) {
  const text = ticket.querySelector("textarea");
  const bar = document.querySelector(".bar");
  const copy = button("Copy for a ticket");
  const said = document.createElement("p");
  said.className = "said";
  said.setAttribute("role", "status");
  copy.addEventListener("click", async () => {
    const done = await copied(text.value, () => {
      ticket.open = true;
      text.focus();
      text.select();
    });
    if (done) {
      bar.append(said);
      said.textContent = `Copied: ${text.value.length.toLocaleString("en")} characters of Markdown. Paste them into the ticket.`;
    } else {
      text.before(said);
      said.textContent = "Not copied: this browser does not let the page do that. The text is selected: copy it by hand (Ctrl+C or ⌘C).";
      said.scrollIntoView({ block: "center" });
    }
  });
  bar.append(copy, said);
}

const tabs = [...document.querySelectorAll(".tabs a")];
const panels = tabs.map((tab) => document.getElementById(tab.hash.slice(1)));

function show(index) {
  tabs.forEach((tab, at) => {
    tab.setAttribute("aria-selected", String(at === index));
    tab.tabIndex = at === index ? 0 : -1;
    panels[at].hidden = at === index ? false : "until-found"; // what a search finds in the other one opens it
  });
}

// The tab that the address names, or that holds what it names.
function showAddressed() {
  const wanted = location.hash && document.getElementById(location.hash.slice(1));
  show(Math.max(0, panels.findIndex((panel) => panel.contains(wanted || panels[0]))));
}

function choose(index) {
  show(index);
  tabs[index].focus();
  history.replaceState(null, "", tabs[index].hash);
}

tabs.forEach((tab, at) => {
  tab.id = `${panels[at].id}-tab`;
  tab.setAttribute("role", "tab");
  tab.setAttribute("aria-controls", panels[at].id);
  panels[at].setAttribute("role", "tabpanel");
  panels[at].tabIndex = 0;
  panels[at].setAttribute("aria-labelledby", tab.id);
  panels[at].addEventListener("beforematch", () => show(at));
  tab.addEventListener("click", (event) => {
    event.preventDefault();
    choose(at);
  });
  tab.addEventListener("keydown", (event) => {
    const last = tabs.length - 1;
    const next = { ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at === 0 ? last : at - 1, Home: 0, End: last, " ": at }[event.key];
    if (next !== undefined) {
      event.preventDefault();
      choose(next);
    }
  });
});
if (tabs.length) {
  tabs[0].parentElement.setAttribute("role", "tablist");
  showAddressed();
  addEventListener("hashchange", showAddressed);
}
