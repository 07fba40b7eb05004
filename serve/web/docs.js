"use strict";
const routes = document.getElementById("routes");

const element = (tag, text = "", ...inside) => {
  const node = document.createElement(tag);
  node.textContent = text;
  node.append(...inside);
  return node;
};

// A schema with what it refers to in its place; a schema within itself stays a reference.
const whole = (schema, all, above = []) => {
  if (Array.isArray(schema)) return schema.map((entry) => whole(entry, all, above));
  if (schema === null || typeof schema !== "object") return schema;
  const name = schema.$ref?.split("/").pop();
  if (name) return above.includes(name) ? name : whole(all[name], all, [...above, name]);
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, whole(value, all, above)]));
};

const body = (title, content, all) =>
  Object.entries(content ?? {}).flatMap(([type, { schema }]) => [
    element("p", `${title}, ${type}`),
    element("pre", JSON.stringify(whole(schema ?? {}, all), null, 1)),
  ]);

const shown = (path, method, route, all) => {
  const scopes = route["x-scopes"]?.length ? `Scope ${route["x-scopes"].join(" or ")}, where keys are configured.` : "Needs no key.";
  const summary = element("summary", "", element("code", `${method.toUpperCase()} ${path}`));
  const answers = Object.entries(route.responses).flatMap(([status, told]) => body(`${status} ${told.description}`, told.content, all));
  return element("details", "", summary, element("p", route.description ?? ""), element("p", scopes), ...body("Request", route.requestBody?.content, all), ...answers);
};

fetch("/openapi.json")
  .then((answer) => answer.json())
  .then((api) => {
    for (const [path, methods] of Object.entries(api.paths))
      for (const [method, route] of Object.entries(methods)) routes.append(shown(path, method, route, api.components.schemas));
  })
  .catch(() => routes.append(element("p", "The service does not answer.")));
