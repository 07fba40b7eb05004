"use strict";
const form = document.getElementById("form");
const answer = document.getElementById("answer");
const image = document.getElementById("image");
const preview = document.getElementById("preview");
const ask = document.getElementById("ask");

const element = (tag, text, className = "") => {
  const node = document.createElement(tag);
  node.textContent = text;
  node.className = className;
  return node;
};

image.addEventListener("change", () => {
  if (preview.src) URL.revokeObjectURL(preview.src);
  preview.hidden = !image.files.length;
  if (image.files.length) preview.src = URL.createObjectURL(image.files[0]);
});

const useSample = async () => {
  const [photo, text] = await Promise.all([fetch("/web/sample.jpg"), fetch("/web/sample.txt")]);
  const files = new DataTransfer();
  files.items.add(new File([await photo.blob()], "sample.jpg", { type: "image/jpeg" }));
  image.files = files.files;
  image.dispatchEvent(new Event("change"));
  document.getElementById("text").value = (await text.text()).trim();
};
document.getElementById("sample").addEventListener("click", useSample);

const bar = (name, share) => {
  const row = element("div", "", "bar");
  const progress = element("progress", "");
  progress.max = 1;
  progress.value = share;
  progress.setAttribute("aria-label", name);
  row.append(element("span", name), progress, element("span", `${Math.round(100 * share)} %`));
  return row;
};

const show = (result) => {
  const chosen = result.recommendation;
  answer.append(element("p", `${chosen.garment_id ?? "Your garment"}: size ${chosen.size ?? "–"}`, "big"));
  answer.append(bar("suits", result.prediction));
  for (const [name, label] of [["small", "too small"], ["fit", "fits"], ["large", "too large"]]) answer.append(bar(label, result.fit[name]));
  answer.append(element("p", result.photo.used ? "The photo was used." : `The photo was not used${result.photo.reason ? `: ${result.photo.reason}` : ""}.`, "note"));
};

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (ask.getAttribute("aria-disabled") === "true") return;
  const body = new FormData();
  const text = document.getElementById("text").value.trim();
  if (text) body.append("text", text);
  if (image.files.length) body.append("image", image.files[0]);
  ask.setAttribute("aria-disabled", "true"); // not disabled, which would take the focus from it
  answer.replaceChildren();
  try {
    const key = document.getElementById("key").value.trim();
    const headers = key ? { Authorization: `Bearer ${key}` } : {};
    const response = await fetch("/v1/predict", { method: "POST", body, headers });
    if (response.status === 401) document.getElementById("asked").hidden = false;
    const result = await response.json();
    if (response.ok) show(result);
    else answer.append(element("p", result.detail, "error"));
  } catch {
    answer.append(element("p", "The service does not answer.", "error"));
  }
  ask.setAttribute("aria-disabled", "false");
});

if (location.hash === "#sample") useSample().then(() => form.requestSubmit());
