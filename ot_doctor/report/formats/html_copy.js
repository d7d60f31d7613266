// A button beside each command copies it. Without this script the commands are the same, to be selected by hand.
"use strict";
for (const command of document.querySelectorAll("pre.command")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    let copied = true;
    try {
      await navigator.clipboard.writeText(command.textContent);
    } catch {
      getSelection().selectAllChildren(command);
      copied = document.execCommand("copy");
    }
    button.textContent = copied ? "Copied" : "Select it and press Ctrl+C";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  command.before(button);
}
