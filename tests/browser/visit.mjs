// What tests of the pages in Debian's Chromium share: somebody's browser, axe-core, pictures, and what a page has to say.
//
// What a test is told by tests/browser.rs stands in MEGURI_BROWSER, as JSON.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

export const told = JSON.parse(process.env.MEGURI_BROWSER);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const DESK = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };
// No condition takes longer; passing it fails the test.
export const PATIENCE = 60_000;

// What is wrong with the pages; the test goes on, and fails at its end.
const problems = [];
let checked = 0;

// Debian's Chromium; its sandbox can't be had as root, nor in most containers, and the pages are our own.
const browser = await chromium.launch({
  executablePath: process.env.MEGURI_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--lang=ja"],
  env: { ...process.env, LANGUAGE: "ja" },
});

// A browser of somebody's. The office's own authority is not one of this machine's.
export async function somebody(options = {}) {
  const context = await browser.newContext({
    baseURL: told.page, ignoreHTTPSErrors: true, locale: "ja-JP", timezoneId: "Asia/Tokyo", viewport: DESK, ...options,
  });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.on("pageerror", (error) => problems.push(`${page.url()}: ${error}`));
  page.on("console", (message) => {
    // Pages that refuse something say so by their status, which Chromium tells as an error, too.
    const refused = /the server responded with a status of 4(01|03|04|22)/.test(message.text());
    if (message.type() === "error" && !refused) problems.push(`${page.url()}: ${message.text()}`);
  });
  page.on("request", (request) => {
    const { origin } = new URL(request.url());
    if (origin !== new URL(told.page).origin) problems.push(`${page.url()} loads ${request.url()}`);
  });
  return page;
}

// Has axe-core look at the page, and sees that nothing stands beside the window, and the bar is one line on a desk.
export async function look(page, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, impact, help, nodes } of violations) {
    const at = nodes.map((node) => `${node.target.join(" ")}: ${node.failureSummary.split("\n").at(-1).trim()}`).join("; ");
    problems.push(`${where}: ${impact} ${id}: ${help} (${at})`);
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 0) problems.push(`${where}: ${wide} px beside the window`);
  const bar = await page.evaluate(() => document.querySelector("header.bar")?.offsetHeight ?? 0);
  if (page.viewportSize().width === DESK.width && bar > 80) problems.push(`${where}: the bar is ${bar} px high`);
  checked += 1;
}

// A picture for the book, where it is asked for.
export async function picture(page, name, options = {}) {
  if (!told.pictures) return;
  mkdirSync(told.pictures, { recursive: true });
  // Nothing is lit up by where the last click was.
  await page.mouse.move(0, 0);
  await page.screenshot({ path: `${told.pictures}/${name}.png`, ...options });
}

// Waits until the page says all of it.
export const has = async (page, ...texts) => {
  const began = Date.now();
  for (;;) {
    const text = await page.locator("body").innerText();
    const lacking = texts.filter((one) => !text.includes(one));
    if (lacking.length === 0) return;
    assert.ok(Date.now() - began < PATIENCE / 4, `${page.url()} lacks ${lacking}:\n${text}`);
    await page.waitForTimeout(50);
  }
};
export const lacks = async (page, ...texts) => {
  await page.waitForLoadState();
  let html = null;
  while (html === null) html = await page.content().catch(() => page.waitForTimeout(50).then(() => null));
  for (const one of texts) assert.ok(!html.includes(one), `${page.url()} has ${one}`);
};
export const press = (page, name) => page.getByRole("button", { name, exact: true }).first().click();
export const at = (page, path) => page.waitForURL((url) => url.pathname === path);

export async function signIn(page, login, password) {
  await page.goto("/signin");
  await page.getByLabel("ログイン名").fill(login);
  await page.getByLabel("パスワード").fill(password);
  await press(page, "サインイン");
}

// Each pair of a language, a colour and a size is among these.
const FACES = [["ja", "light", DESK], ["ja", "dark", PHONE], ["en", "light", PHONE], ["en", "dark", DESK]];

// Has a look at pages in every face they have.
export async function lookAtAll(page, paths) {
  for (const [lang, colorScheme, size] of FACES) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize(size);
    for (const path of paths) {
      await page.goto(`${path}${path.includes("?") ? "&" : "?"}lang=${lang}`);
      await look(page, `${path} ${lang} ${colorScheme} ${size.width}`);
      if (told.every) await picture(page, `${path.replaceAll(/\W+/g, "-")}-${lang}-${colorScheme}-${size.width}`, { fullPage: true });
    }
  }
}

// Closes the browser; fails where something was wrong with a page.
export async function leave() {
  await browser.close();
  console.log(`axe-core looked at ${checked} pages`);
  assert.deepEqual(problems, [], problems.join("\n"));
}
