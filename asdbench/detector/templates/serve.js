"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const drop = find("drop"), input = find("files"), message = find("message"), results = find("results");
  const rows = results.tBodies[0], explanations = find("explanations");

  const send = async (verb, files) => {
    const form = new FormData();
    for (const file of files) form.append("files", file, file.name);
    const query = find("machine") ? `?machine=${encodeURIComponent(find("machine").value)}` : "";
    const headers = find("token") ? { Authorization: `Bearer ${find("token").value}` } : {};
    const answer = await fetch(`${verb}${query}`, { method: "POST", body: form, headers });
    if (answer.status === 413) throw new Error("These recordings are too large for one request. Send fewer of them.");
    return answer;
  };

  const cell = (row, text, kind) => {
    const made = row.insertCell();
    made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };

  const show = (clip, file) => {
    const row = rows.insertRow();
    cell(row, clip.path);
    if (clip.error) {
      cell(row, clip.error, "bad").colSpan = 5;
      return;
    }
    cell(row, clip.anomalous ? "anomalous" : "normal", clip.anomalous ? "bad" : "muted");
    for (const value of [clip.score, clip.threshold, clip.p_value]) cell(row, value.toPrecision(4), "number");
    const button = document.createElement("button");
    button.textContent = "why?";
    button.addEventListener("click", () => explain(file, button));
    cell(row, "").append(button);
  };

  const explain = async (file, button) => {
    button.disabled = true;
    message.textContent = `Explaining ${file.name} …`;
    try {
      const answer = await send("explain", [file]);
      if (!answer.ok) throw new Error((await answer.json()).error);
      explanations.insertAdjacentHTML("afterbegin", await answer.text());
      message.textContent = "";
    } catch (error) {
      message.textContent = error.message;
    }
    button.disabled = false;
  };

  const score = async (files) => {
    if (!files.length) return;
    message.textContent = `Scoring ${files.length} recording${files.length > 1 ? "s" : ""} …`;
    try {
      const answer = await send("score", files);
      const content = await answer.json();
      if (!content.clips) throw new Error(content.error || `The server answered ${answer.status}.`);
      results.hidden = false;
      content.clips.forEach((clip, number) => show(clip, files[number]));
      message.textContent = content.notes.join(" ");
    } catch (error) {
      message.textContent = error.message;
    }
  };

  input.addEventListener("change", () => score([...input.files]).then(() => { input.value = ""; }));
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop") score([...event.dataTransfer.files]);
    });
  }
})();
