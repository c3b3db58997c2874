// The office's pages as people use them, in Debian's Chromium: the first administrator's set-up, sign-in with a second factor,
// terminals, enrolment, the handover sheet, a lost terminal and whose data it held, crews, people, tokens, the audit log; and axe-core on every page, in both languages,
// light and dark, on a desk and on a phone.
//
// Run by tests/browser.rs, which starts the office.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { PATIENCE, PHONE, at, has, lacks, leave, look, lookAtAll, picture, press, signIn, somebody, told } from "./visit.mjs";

const PASSWORD = "kumo to yama to kawa";

// The six digits of an authenticator (RFC 6238), some seconds ahead.
function totp(secret, ahead = 0) {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret.replace(/\s/g, "")].map((letter) => letters.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor((Date.now() / 1000 + ahead) / 30)));
  const digest = createHmac("sha1", key).update(step).digest();
  const code = digest.readUInt32BE(digest[19] & 15) & 0x7fffffff;
  return String(code % 1_000_000).padStart(6, "0");
}

// ---- The first administrator, and their second factor.
const admin = await somebody();
await admin.goto("/");
await at(admin, "/setup");
await look(admin, "/setup");
const fillSetUp = async (code) => {
  await admin.getByLabel("設定コード").fill(code);
  await admin.getByLabel("ログイン名").fill("kanri");
  await admin.getByLabel("名前", { exact: true }).fill("管理 太郎");
  await admin.getByLabel("新しいパスワード", { exact: true }).fill(PASSWORD);
  await admin.getByLabel("新しいパスワード（確認）").fill(PASSWORD);
  await press(admin, "管理者を作る");
};
await fillSetUp("zzzz-yyyy-xxxx-wwww");
await has(admin, "設定コードが違います");
await fillSetUp(readFileSync(told.setup, "utf8").trim());
await at(admin, "/account/second");
await look(admin, "/account/second");
await picture(admin, "city-second-factor");
const secret = await admin.locator("ol.steps code").innerText();
const wrong = totp(secret) === "000000" ? "111111" : "000000";
await admin.getByLabel("確認コード").fill(wrong);
await press(admin, "設定する");
await has(admin, "コードが違います");
await admin.getByLabel("確認コード").fill(totp(secret));
await press(admin, "設定する");
await has(admin, "復旧コード");
await look(admin, "the recovery codes");
const recovery = await admin.locator(".codes code").allInnerTexts();
assert.equal(recovery.length, 10);
await admin.getByRole("link", { name: "控えました" }).click();
await at(admin, "/");
await has(admin, "区ごとの進み", "中区");

// ---- Out, and in again.
await admin.goto("/account");
await press(admin, "サインアウト");
await at(admin, "/signin");
await look(admin, "/signin");
await admin.goto("/terminals");
await at(admin, "/signin");
await signIn(admin, "kanri", "wrong password typed");
await has(admin, "サインインできません");
await signIn(admin, "kanri", PASSWORD);
await at(admin, "/signin/code");
await look(admin, "/signin/code");
await picture(admin, "city-signin-code");
await admin.getByLabel("確認コード").fill(wrong);
await press(admin, "続ける");
await has(admin, "コードが違います");
// A code is good once: the one of the set-up is over, the next one is taken already.
await admin.getByLabel("確認コード").fill(totp(secret, 30));
await press(admin, "続ける");
await at(admin, "/");

// ---- Terminals: one more is made, and enrols by a code from its page.
await admin.getByRole("link", { name: "端末", exact: true }).click();
await at(admin, "/terminals");
await has(admin, "t-1", "t-2", "未登録");
await admin.getByLabel("端末名（一生変わりません）").fill("t-0003");
await admin.locator("select[name=vehicle]").selectOption("v03");
await press(admin, "作る");
await at(admin, "/terminals/t-0003");
await has(admin, "端末を作りました", "3号車", "まだありません");
const register = async (page, terminal, values) => {
  await page.goto(`/terminals/${terminal}`);
  for (const [label, value] of Object.entries(values)) await page.getByLabel(label).fill(value);
  await press(page, "台帳を保存");
};
await register(admin, "t-0003", { "SIM番号（ICCID）": "123" });
await has(admin, "18〜20桁の数字です");
assert.equal(await admin.getByLabel("SIM番号（ICCID）").inputValue(), "123", "what was typed stays");
const numbers = (n) => ({
  "備品番号": `清-2026-00${n}`,
  "SIM番号（ICCID）": `8981100000000000${n}23`.slice(0, 19).padEnd(19, "0"),
  "回線番号": `020-1234-560${n}`,
  "型式": "防じん形 10型",
  "製造番号": `SN26A0041${n}`,
});
for (const [terminal, n] of [["t-1", 1], ["t-2", 2], ["t-0003", 3]]) {
  await register(admin, terminal, numbers(n));
  await has(admin, "台帳を保存しました");
}
await press(admin, "登録コードを出す");
await has(admin, "一度だけ使えます", told.door);
await look(admin, "the enrolment code");
await picture(admin, "city-enrol");
const code = (await admin.locator(".drawn code").innerText()).trim();
assert.match(code, /^[0-9A-Z]{4}(-[0-9A-Z]{4}){3}$/);
writeFileSync(told.code, code);
assert.ok(!admin.url().includes(code));
await admin.goto("/terminals/t-0003");
await has(admin, "登録コードが出ています");
await lacks(admin, code);
// Whoever goes back in the browser finds the question to send the form again, and no code.
await admin.goBack().catch(() => {});
await lacks(admin, code);
await admin.goto("/terminals/t-0003");

const settings = `${told.folder}/terminal.toml`;
mkdirSync(told.folder, { recursive: true });
const enrolled = spawnSync(told.terminal, ["--settings", settings, "enrol", code, "--office", told.door], { encoding: "utf8" });
assert.equal(enrolled.status, 0, enrolled.stdout + enrolled.stderr);
await admin.reload();
await has(admin, "まだ接続していません");
await lacks(admin, "登録コードが出ています");
const data = `${told.folder}/data`;
const terminal = spawn(
  told.terminal, ["--settings", settings, "--data", data, "--rehearsal", told.rehearsal, "run", "--console"],
  { stdio: ["pipe", "pipe", "ignore"] },
);
const ended = new Promise((resolve) => terminal.once("exit", resolve));
const said = createInterface({ input: terminal.stdout })[Symbol.asyncIterator]();
// Waits until the terminal itself says of its line that it is up, or not.
const line = async (up) => {
  const began = Date.now();
  for (;;) {
    terminal.stdin.write("status\n");
    const { status } = JSON.parse((await said.next()).value);
    if ((status.link === "up") === up) return;
    assert.ok(Date.now() - began < PATIENCE, `the line is never ${up ? "up" : "down"}: ${JSON.stringify(status)}`);
    await admin.waitForTimeout(50);
  }
};
try {
  const began = Date.now();
  const until = async (...texts) => {
    for (;;) {
      await admin.goto("/terminals/t-0003");
      const text = await admin.locator("body").innerText();
      if (texts.every((one) => text.includes(one))) return;
      assert.ok(Date.now() - began < PATIENCE, `never: ${texts}\n${text}`);
      await admin.waitForTimeout(100);
    }
  };
  await until("接続を確認", "接続中");
  await line(true);

  // ---- Handed over: the sheet, then the record.
  await admin.goto("/terminals");
  await admin.getByLabel("端末 t-1 を選ぶ").check();
  await admin.getByLabel("端末 t-0003 を選ぶ").check();
  await press(admin, "受渡し・受渡書");
  await at(admin, "/handover");
  await look(admin, "/handover");
  await picture(admin, "city-handover", { fullPage: true });
  await admin.getByLabel("業者側の氏名").fill("受取 花子");
  await press(admin, "受渡書を表示");
  await has(admin, "端末受渡書（引渡し）", "Handover of terminals", "清-2026-001", "清-2026-003", "充電ケーブル", "印");
  await look(admin, "the handover sheet");
  await picture(admin, "city-handover-sheet", { fullPage: true });
  if (told.every) await admin.pdf({ path: `${told.pictures}/city-handover-sheet.pdf`, preferCSSPageSize: true });
  await admin.getByRole("link", { name: "戻る" }).click();
  await admin.getByLabel("業者側の氏名").fill("受取 花子");
  await press(admin, "受渡しを記録");
  await has(admin, "受渡しを記録しました");
  await until("受取 花子", "充電ケーブル");
  await look(admin, "/terminals/t-0003");
  await picture(admin, "city-terminal", { fullPage: true });
  await admin.goto("/terminals");
  await picture(admin, "city-terminals");

  // ---- Blocked, after it is asked.
  await admin.goto("/terminals/t-0003");
  await admin.getByRole("link", { name: "停止する" }).click();
  await has(admin, "停止しますか", "その場で切れ");
  await look(admin, "/terminals/t-0003/block");
  await picture(admin, "city-terminal-block");
  await press(admin, "停止する");
  await has(admin, "端末を停止しました", "停止中");
  await line(false);
  await admin.getByRole("link", { name: "停止を解除" }).click();
  await look(admin, "/terminals/t-0003/unblock");
  await press(admin, "停止を解除");
  await line(true);
  await until("接続中");

  // ---- Lost, after it is asked: the terminal erases itself, and is kept out.
  await admin.getByRole("link", { name: "紛失・盗難を届け出る" }).click();
  await has(admin, "紛失・盗難として届け出ますか", "自分で消し", "SIMは、消去が終わるまで止めないでください");
  await look(admin, "/terminals/t-0003/lost");
  await picture(admin, "city-terminal-lost");
  await press(admin, "紛失・盗難を届け出る");
  await has(admin, "紛失・盗難を届け出ました");
  await until("紛失・消去済み", "に消去済み", "「登録し直す」");
  await line(false);
  await look(admin, "/terminals/t-0003, erased");
  await picture(admin, "city-terminal-erased", { fullPage: true });
  await admin.goto("/");
  await has(admin, "紛失した端末の消去が終わりました");
} finally {
  terminal.kill("SIGTERM");
  await ended;
}

// ---- One that finds no line stays lost; whose data it held is looked up, and it is found again.
await admin.goto("/terminals/t-1");
await admin.getByRole("link", { name: "紛失・盗難を届け出る" }).click();
await press(admin, "紛失・盗難を届け出る");
await has(admin, "紛失・未消去", "まだ消去されていません", "消去が届かなくなります");
assert.equal(await admin.getByRole("link", { name: "停止する" }).count(), 0, "blocked it could not be erased");
await look(admin, "/terminals/t-1, lost");
await admin.goto("/terminals");
await has(admin, "紛失・未消去", "紛失・消去済み");
await look(admin, "/terminals, with lost ones");
await picture(admin, "city-terminals-lost");
await admin.goto("/terminals/t-1");
await admin.getByRole("link", { name: "漏えい照会" }).click();
await has(admin, "漏えい照会：端末 t-1", "操作の記録に残ります");
await look(admin, "/terminals/t-1/exposure");
const lostOn = await admin.getByLabel("初めの日").inputValue();
assert.match(lostOn, /^\d{4}-\d{2}-\d{2}$/);
await press(admin, "照会する");
await has(admin, "：12件", told.reception, "排出場所");
await look(admin, "whose data t-1 held");
await picture(admin, "city-exposure");
const [saved] = await Promise.all([
  admin.waitForEvent("download"), admin.getByRole("link", { name: "全件をCSVで保存" }).click(),
]);
assert.match(saved.suggestedFilename(), /^exposure-t-1-.*\.csv$/);
const csv = readFileSync(await saved.path(), "utf8");
assert.ok(csv.startsWith("\ufeff収集日,受付番号") && csv.split("\r\n").length === 14 && csv.includes(told.reception), csv);
await admin.goto("/terminals/t-1");
await admin.getByRole("link", { name: "見つかった" }).click();
await has(admin, "見つかりましたか", "消去はされず");
await look(admin, "/terminals/t-1/unblock, found");
await press(admin, "見つかった");
await has(admin, "紛失の届出を取り消しました");
await lacks(admin, "紛失・未消去");

// ---- Crews: a PIN is shown once, on a slip for its owner.
await admin.getByRole("link", { name: "乗務員", exact: true }).click();
await at(admin, "/crews");
await has(admin, "乗務員は登録されていません");
const pins = [];
const slip = async (page) => {
  await has(page, "もう一度は表示しません", "だれにも教えないでください");
  const pin = (await page.locator(".drawn code").innerText()).trim();
  assert.match(pin, /^\d{6}$/);
  assert.ok(!page.url().includes(pin));
  pins.push(pin);
  return pin;
};
const member = async (page, id, name, contractor) => {
  await page.goto("/crews");
  await page.getByLabel("番号（記録に残ります）").fill(id);
  await page.getByLabel("名前（端末の画面に出ます）").fill(name);
  if (contractor) await page.locator("select[name=contractor]").selectOption(contractor);
  await press(page, "追加");
  return slip(page);
};
await member(admin, "m-012", "乗務員 甲", "k1");
await look(admin, "a PIN");
await picture(admin, "city-crew-pin");
if (told.every) await admin.pdf({ path: `${told.pictures}/city-crew-pin.pdf`, preferCSSPageSize: true });
await admin.getByRole("link", { name: "戻る" }).click();
await has(admin, "乗務員 甲", "m-012");
await lacks(admin, ...pins);
// Whoever goes back finds the question to send the form again, and no PIN.
await admin.goBack().catch(() => {});
await lacks(admin, ...pins);
await member(admin, "m-013", "乗務員 乙", "k1");
await member(admin, "m-700", "乗務員 丙", "k2");
await admin.goto("/crews");
await admin.getByLabel("番号（記録に残ります）").fill("m-012");
await admin.getByLabel("名前（端末の画面に出ます）").fill("乗務員 丁");
await admin.locator("select[name=contractor]").selectOption("k1");
await press(admin, "追加");
await has(admin, "以前に使われていました");
await admin.goto("/crews");
await admin.locator("summary", { hasText: "変更" }).first().click();
await look(admin, "/crews, with what can be changed");
await picture(admin, "city-crews");
await press(admin, "新しい暗証番号を出す");
await slip(admin);
await admin.goto("/crews/m-013/remove");
await has(admin, "乗務員 乙（m-013）を削除しますか", "これまでの収集の記録は残ります");
await look(admin, "/crews/m-013/remove");
await picture(admin, "city-crew-remove");
await press(admin, "削除する");
await has(admin, "乗務員を削除しました");
await lacks(admin, "/crews/m-013/");

// ---- People, and tokens.
await admin.goto("/people");
await admin.getByLabel("ログイン名").fill("haisha");
await admin.getByLabel("名前", { exact: true }).fill("配車 花子");
const adding = admin.locator("form.person-add");
await adding.getByLabel("役割").selectOption("dispatcher");
await adding.getByLabel("収集業者（配車担当のみ）").selectOption("k1");
await press(admin, "追加");
const drawn = (await admin.locator(".drawn code").innerText()).trim();
await look(admin, "/people, with a one-time password");
await admin.goto("/tokens");
await admin.getByLabel("システムの名前").fill("uketsuke");
await admin.getByLabel("結果の書き出し（/api/export）").check();
await press(admin, "発行");
const token = (await admin.locator(".drawn code").innerText()).trim();
assert.match(token, /^meguri_[0-9a-f]{64}$/);
await look(admin, "/tokens, with a token");
const read = await admin.context().request.get("/api/export?day=2026-04-01", { headers: { authorization: `Bearer ${token}` } });
assert.equal(read.status(), 200);
await admin.goto("/tokens");
await lacks(admin, token);
await picture(admin, "city-tokens");
await admin.locator("summary", { hasText: "失効させる" }).click();
await press(admin, "uketsuke を失効させる");
await has(admin, "トークンを失効させました");
const again = await admin.context().request.get("/api/export?day=2026-04-01", { headers: { authorization: `Bearer ${token}` } });
assert.equal(again.status(), 401);

// ---- A contractor's dispatcher: a password of their own first, then their own terminals, to look at.
const dispatcher = await somebody();
await signIn(dispatcher, "haisha", drawn);
await at(dispatcher, "/account/password");
await look(dispatcher, "/account/password");
await dispatcher.getByLabel("発行されたパスワード").fill(drawn);
await dispatcher.getByLabel("新しいパスワード", { exact: true }).fill("umi to sora to hoshi");
await dispatcher.getByLabel("新しいパスワード（確認）").fill("umi to sora to hoshi");
await press(dispatcher, "パスワードを変更");
await at(dispatcher, "/account");
await dispatcher.goto("/terminals/t-1");
await has(dispatcher, "清-2026-001", "受取 花子");
assert.equal(await dispatcher.getByRole("button", { name: "台帳を保存" }).count(), 0);
assert.equal((await dispatcher.goto("/tokens")).status(), 403);
assert.equal((await dispatcher.goto("/terminals/t-1/block")).status(), 403);
assert.equal((await dispatcher.goto(`/terminals/t-1/exposure?from=${lostOn}`)).status(), 403);
await member(dispatcher, "m-014", "乗務員 戊");
await dispatcher.goto("/crews");
await has(dispatcher, "m-012", "m-014");
await lacks(dispatcher, "m-700");
await look(dispatcher, "/crews, of a dispatcher");
assert.equal((await dispatcher.goto("/crews/m-700/remove")).status(), 404);
// All that was drawn, for the log to be looked through.
writeFileSync(`${told.code}.pins`, pins.join("\n"));

// ---- The audit log has all of it.
await admin.goto("/audit");
await has(
  admin, "最初の管理者を作成", "二段階認証を設定", "サインインに失敗", "二段階認証を通過", "端末を追加", "端末の台帳を変更", "端末の登録コードを発行",
  "端末を登録", "端末の引渡しを記録", "端末の紛失・盗難を登録", "端末にあった個人情報を照会", "乗務員を追加", "乗務員の暗証番号を変更", "乗務員を削除", "端末を締め出し", "端末の締め出しを解除", "利用者を追加", "トークンを発行", "トークンを失効", "結果を書き出し", "管理 太郎",
);
await lacks(admin, code, code.replaceAll("-", ""), token, drawn, "受取 花子");
await picture(admin, "city-audit");

// ---- Every page: both languages, light and dark, desk and phone.
await admin.goto(`/search?q=${told.reception}`);
const pickup = await admin.locator("a[href^='/pickup/']").first().getAttribute("href");
const pages = [
  "/", "/attention", "/search", `/search?q=${told.reception}`, pickup, "/items", "/aside", "/terminals", "/terminals/t-0003", "/terminals/t-1", "/terminals/t-1/block", "/terminals/t-1/lost",
  "/terminals/t-1/exposure", `/terminals/t-1/exposure?from=${lostOn}`, "/crews", "/crews/m-012/remove",
  "/handover?t=t-1&t=t-0003", "/people", "/tokens", "/audit", "/account", "/account/password", "/account/second", "/nothing-here",
];
await lookAtAll(admin, pages);
await admin.setViewportSize(PHONE);
await admin.emulateMedia({ colorScheme: "light" });
await admin.goto("/terminals?lang=ja");
await picture(admin, "city-terminals-phone");
await admin.goto("/crews?lang=ja");
await picture(admin, "city-crews-phone");

await leave();
