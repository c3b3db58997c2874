// A switchover as the city leads it on its pages, in Debian's Chromium: releases that `meguri-config` builds, signs and pushes, a draft with
// something in its way, another one that is withdrawn after terminals hold it, and a third that goes all the way, with real terminals
// that take it, refuse it, are silent, and after midnight are well, lack a device or go back to the line before; what the contractors see of it; and axe-core on every page.
//
// Run by tests/browser.rs, which starts the office and has the terminals enrol.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DESK, PATIENCE, PHONE, at, has, lacks, leave, look, lookAtAll, picture, press, signIn, somebody, told } from "./visit.mjs";

// What `meguri-config` does in the test's folder; `status` is what it has to end with.
function config(line, status = 0) {
  const done = spawnSync(told.config, line.split(" "), { cwd: told.folder, encoding: "utf8" });
  assert.equal(done.status, status, `${line}: ${done.stdout}${done.stderr}`);
  return done.stdout;
}

// The clock of the office and of every terminal: from now on it is so late.
function clock(from) {
  const text = `real = "${new Date().toISOString()}"\nfrom = "${from}"\nspeed = 1.0\n`;
  writeFileSync(`${told.rehearsal}.new`, text);
  renameSync(`${told.rehearsal}.new`, told.rehearsal);
}

// ---- Terminals: switched on and off.
const running = new Map();
function on(...names) {
  for (const name of names) {
    const folder = join(told.folder, name);
    const line = ["--settings", join(folder, "terminal.toml"), "--data", join(folder, "data"), "--rehearsal", told.rehearsal, "run", "--console"];
    running.set(name, spawn(told.terminal, line, { stdio: ["pipe", "ignore", "ignore"] }));
  }
}
async function off(...names) {
  for (const name of names) {
    const terminal = running.get(name);
    const ended = new Promise((resolve) => terminal.once("exit", resolve));
    terminal.kill("SIGKILL");
    await ended;
    running.delete(name);
  }
}

// Goes to a page until a row of its table, or the whole of it, says all that.
async function until(page, path, ...rows) {
  const began = Date.now();
  for (;;) {
    await page.goto(path);
    const lacking = [];
    for (const [name, ...texts] of rows) {
      const row = page.getByRole("row").filter({ has: page.getByRole("rowheader", { name }) });
      const text = (await row.count()) > 0 ? await row.first().innerText() : "";
      if (!texts.every((one) => text.includes(one))) lacking.push(`${name} ${texts}: ${text}`);
    }
    if (lacking.length === 0) return;
    assert.ok(Date.now() - began < PATIENCE, `${path} never says ${lacking.join("\n")}`);
    await page.waitForTimeout(100);
  }
}
const follow = (page, name) => page.getByRole("link", { name, exact: true }).first().click();
const offers = async (page, name) => (await page.getByRole("button", { name, exact: true }).count()) + (await page.getByRole("link", { name, exact: true }).count());

try {
  // ---- Everybody is out on 8 March, and switched off then.
  const lead = await somebody();
  const second = await somebody();
  await signIn(lead, "kian", told.password);
  await at(lead, "/");
  await signIn(second, "kacho", told.password);
  await at(second, "/");
  const all = ["t-0001", "t-0002", "t-0003", "t-0004", "t-0005", "t-0006"];
  on(...all);
  await until(lead, "/terminals", ...all.map((name) => [name, "接続中"]));
  await off("t-0001", "t-0002", "t-0003", "t-0004", "t-0006");

  // ---- The register says who has one of them.
  await lead.goto("/terminals/t-0004");
  await lead.getByLabel("回線番号").fill("020-1234-5604");
  await press(lead, "台帳を保存");
  await lead.goto("/handover?t=t-0004");
  await lead.getByLabel("業者側の氏名").fill("受取 花子");
  await press(lead, "受渡しを記録");
  await has(lead, "受渡しを記録しました");

  // ---- Nothing is there yet; a system that brings releases gets its token.
  await lead.goto("/switchovers");
  await has(lead, "業者切替はまだありません", "起案を待つ版はありません", "鍵一覧はまだありません", "meguri-config push");
  await look(lead, "/switchovers, with nothing");
  await lead.goto("/tokens");
  await lead.getByLabel("システムの名前").fill("settei");
  await lead.getByLabel("端末の設定（/api/releases、/api/configurations）").check();
  await press(lead, "発行");
  writeFileSync(join(told.folder, "token"), (await lead.locator(".drawn code").innerText()).trim());

  // ---- The plan, its keys, and those of a trial that somebody has left on a terminal.
  config("init plan");
  const [city, terminals] = ["city.toml", "terminals.toml"].map((name) => readFileSync(join(told.plan, name), "utf8"));
  const here = terminals.replace("port = 1", `port = ${told.broker}`).replace("https://127.0.0.1:1", told.door);
  const write = (folder, text) => {
    mkdirSync(join(told.folder, folder), { recursive: true });
    writeFileSync(join(told.folder, folder, "city.toml"), city);
    writeFileSync(join(told.folder, folder, "terminals.toml"), text);
  };
  write("plan", here);
  // As it would be without the switchover.
  write("without", here.replaceAll(/vehicle = \["(v\d+)", "v\d+"\]/g, 'vehicle = "$1"'));
  write("trial", here);
  writeFileSync(join(told.folder, "pass"), "correct horse battery staple\n");
  const ceremony = "--root bucho --root kacho --config kakari --config shunin --expires 2038-03-31 --passphrase-file pass";
  const written = ["plan", "trial"].map((folder) => {
    mkdirSync(join(told.folder, `${folder}-keys`));
    return config(`keys init ${folder} ${ceremony} --out ${folder}-keys`);
  });
  config("keys export trial -o keys.json");
  copyFileSync(join(told.folder, "keys.json"), join(told.folder, "t-0002", "keys.json"));
  // Vehicle 10 has no terminal; nothing worse is there.
  config("check plan", 1);
  const release = (folder, version, name, expires) => {
    const file = `${version}.release`;
    config(`build ${folder} --version ${version} --now 2027-03-08 --expires ${expires} --name ${name} --keys plan -o ${file}`);
    for (const key of ["kakari", "shunin"]) config(`sign ${file} --key plan-keys/${key}.key --passphrase-file pass`);
    config(`push ${file} --to ${told.page.replace(/\/$/, "")} --token-file token --authority data/ca/authority.pem`);
  };

  // ---- The first one can't be: it expires before its instant. It stays a draft, and is withdrawn.
  release("plan", 2027030800001, "2027年度業者切替（案）", "2027-03-31");
  await lead.goto("/switchovers");
  await has(lead, "2027年度業者切替（案）", "版 2027030800001", "端末7台", "鍵一覧 1");
  const fingerprint = (await lead.locator(".facts code").innerText()).trim();
  assert.ok(written[0].includes(fingerprint), `the record of the ceremony says the same: ${written[0]}`);
  await look(lead, "/switchovers, with a release");
  const draft = async (number) => {
    await lead.goto("/switchovers");
    await press(lead, "起案する");
    await at(lead, `/switchovers/${number}`);
    await has(lead, "起案しました");
  };
  await draft(1);
  await look(lead, "/switchovers/1, a draft");
  await press(lead, "点検する");
  await has(lead, "妨げがあるため、先へ進めません", "受け取りの期限が切替より前です");
  await look(lead, "/switchovers/1, with something in its way");
  assert.equal(await offers(lead, "承認する"), 0, "what has something in its way can't be approved");
  await follow(lead, "取りやめる");
  await has(lead, "を取りやめますか", "まだどの端末にも届いていません");
  await look(lead, "/switchovers/1/withdraw");
  await press(lead, "取りやめる");
  await has(lead, "取りやめました");

  // ---- The second one is approved by somebody else than who drafted it, and by nobody else.
  release("plan", 2027030800002, "2027年度業者切替（はじめの版）", "2027-05-31");
  await draft(2);
  const check = async (...found) => {
    await press(lead, "点検する");
    await has(lead, "点検しました。妨げはありません。", "点検の結果", ...found);
  };
  await check("新しい業者には、乗務員がまだ登録されていません", "1週間連絡がありません", "t-0007");
  await has(lead, "あなたが起案したので");
  assert.equal(await offers(lead, "承認する"), 0);
  await lead.goto("/switchovers/2/approve");
  await at(lead, "/switchovers/2");
  const key = await lead.locator("input[name=form]").first().inputValue();
  const own = await lead.context().request.post("/switchovers/2/approve", { form: { form: key }, headers: { origin: new URL(told.page).origin } });
  assert.equal(own.status(), 422);
  assert.ok((await own.text()).includes("起案した人は承認できません"));
  const approve = async (number) => {
    await second.goto(`/switchovers/${number}`);
    await has(second, "起案 一郎", "点検の結果");
    await follow(second, "承認する");
    await has(second, "を承認しますか", "承認だけでは端末に何も届きません");
    await look(second, `/switchovers/${number}/approve`);
    await press(second, "承認する");
    await has(second, "承認しました。次は配信です。", "承認 二郎");
  };
  await approve(2);

  // ---- Until it is pushed it is the city's alone.
  const leaving = await somebody();
  await signIn(leaving, "haisha1", told.password);
  await at(leaving, "/");
  await leaving.goto("/switchovers");
  await has(leaving, "業者切替はまだありません");
  await lacks(leaving, "2027年度", fingerprint, "起案を待つ");
  assert.equal((await leaving.goto("/switchovers/2")).status(), 404);

  // ---- Pushed to its first group, of which one is switched off, and stopped.
  await lead.goto("/switchovers/2");
  const push = async (groups, ready) => {
    await follow(lead, "配信する");
    await has(lead, "を配信しますか");
    await lead.getByLabel("組（端末の何％まで。最後は100）").fill(groups);
    await lead.getByLabel("次の組に進む準備の率（％）").fill(ready);
    await press(lead, "配信する");
  };
  await push("50,20", "90");
  await has(lead, "組は 5,25,100 のように");
  await push("25,100", "100");
  await has(lead, "端末への配信を始めました");
  await until(
    lead, "/switchovers/2/readiness", ["t-0005", "準備済み（切替待ち）", "1組目"], ["t-0006", "配信済み（応答なし）", "待つ"], ["t-0001", "順番待ち", "2組目"],
  );
  await lead.goto("/switchovers/2");
  assert.equal(await offers(lead, "待たずに次の組へ配信する"), 1);
  await press(lead, "配信を止める");
  await has(lead, "配信を止めました", "配信を停止中");
  await off("t-0005");

  // ---- Withdrawn: terminals hold it, so by a newer release without it.
  await follow(lead, "取りやめる");
  await has(lead, "これを含まない新しい版を先に配信し");
  await look(lead, "/switchovers/2/withdraw, after the push");
  const withdraw = async (version) => {
    await lead.goto("/switchovers/2/withdraw");
    await lead.getByLabel("代わりになる新しい版の番号").fill(version);
    await press(lead, "取りやめる");
  };
  await withdraw("2027030800003");
  await has(lead, "その版は届いていないか、まだ起案されていません");
  release("without", 2027030800003, "4月の切替を含まない版", "2027-05-31");
  await draft(3);
  await has(lead, "設定の修正", "届きしだい");
  await check();
  await approve(3);
  await lead.goto("/switchovers/3");
  await push("5,25,100", "90");
  await has(lead, "端末への配信を始めました");
  await withdraw("2027030800003");
  await has(lead, "取りやめました", "番号3が代わり");
  await until(lead, "/switchovers/2/readiness", ["t-0005", "古い予定を保持"], ["t-0006", "対象外（新しい版あり）"]);
  on("t-0005", "t-0006");
  await until(lead, "/switchovers/2/readiness", ["t-0005", "対象外（新しい版あり）", "なし"]);

  // ---- Three days later, the one that goes all the way. One more terminal was heard that morning.
  clock("2027-03-11T01:05:00Z");
  const back = async (page, login) => {
    await page.goto("/switchovers");
    if (new URL(page.url()).pathname === "/signin") {
      await signIn(page, login, told.password);
      await page.waitForURL((url) => url.pathname !== "/signin");
    }
  };
  await back(lead, "kian");
  await back(second, "kacho");
  on("t-0003");
  await until(lead, "/switchovers/3/readiness", ["t-0003", "正常"]);
  await off("t-0003");
  await lead.goto("/terminals/t-0007");
  await follow(lead, "停止する");
  await press(lead, "停止する");
  await has(lead, "端末を停止しました");
  release("plan", 2027031100001, "2027年度業者切替", "2027-05-31");
  await draft(4);
  await check("新しい業者には、乗務員がまだ登録されていません", "第四収集");
  await second.goto("/switchovers/4");
  await look(second, "/switchovers/4, checked");
  await picture(second, "city-switchover-checked", { fullPage: true });
  await approve(4);
  await lead.goto("/switchovers/4/push");
  await look(lead, "/switchovers/4/push");
  await lead.goto("/switchovers/4");
  await push("25,100", "90");
  await until(
    lead, "/switchovers/4/readiness", ["t-0005", "準備済み（切替待ち）", "1組目"], ["t-0006", "準備済み（切替待ち）"],
    // The second group has its turn by itself.
    ["t-0003", "配信済み（応答なし）", "2組目", "第一収集 3号車", "第四収集 23号車"], ["t-0004", "沈黙", "受取 花子", "02012345604", "電話"],
    ["t-0007", "停止・紛失", "別のタブレット"],
  );

  // ---- One refuses it: that is more than five of a hundred, and it stops until a person has seen why.
  on("t-0001", "t-0002");
  await until(
    lead, "/switchovers/4/readiness", ["t-0001", "準備済み（切替待ち）", "なし"], ["t-0002", "拒否", "署名が足りない", "新しい版を配る"],
  );
  await lead.goto("/");
  await has(lead, "業者切替の配信が止まりました");
  await lead.goto("/switchovers/4");
  await has(lead, "配信を停止中", "受け取りを拒む端末が多いため", "版 2027031100001", "6台のうち1台が拒否");
  await look(lead, "/switchovers/4, stopped");
  await picture(lead, "city-switchover", { fullPage: true });
  await press(lead, "配信を続ける");
  await has(lead, "配信を続けます");
  await lacks(lead, "配信を停止中");

  // What was withdrawn is over, though the newer one has the same instant.
  await until(lead, "/switchovers/1/readiness", ["t-0005", "対象外（新しい版あり）"], ["t-0001", "対象外（新しい版あり）"]);
  await until(lead, "/switchovers/2/readiness", ["t-0005", "対象外（新しい版あり）"], ["t-0001", "対象外（新しい版あり）"]);
  await lead.goto("/switchovers/2");
  await has(lead, "順調");
  assert.equal((await lead.locator(".figure .big").first().innerText()).trim(), "－", "no day is left to what is withdrawn");
  await lead.goto("/terminals/t-0002");
  await has(lead, "版 2027031100001 を拒否");

  // ---- How far each is: those that need somebody first, and some of them alone.
  await lead.goto("/switchovers/4/readiness");
  await look(lead, "/switchovers/4/readiness");
  await picture(lead, "city-readiness", { fullPage: true });
  const first = await lead.locator(".readiness tbody th").allInnerTexts();
  assert.deepEqual(first.slice(0, 3).map((name) => name.slice(0, 6)), ["t-0002", "t-0004", "t-0007"]);
  await lead.locator("select[name=state]").selectOption("refused");
  await press(lead, "表示");
  await has(lead, "t-0002");
  assert.equal(await lead.locator(".readiness tbody tr").count(), 1);
  await lead.goto("/switchovers/4/readiness?contract=itaku-5");
  assert.equal(await lead.locator(".readiness tbody tr").count(), 3);
  const [saved] = await Promise.all([lead.waitForEvent("download"), follow(lead, "CSVで保存")]);
  assert.match(saved.suggestedFilename(), /^readiness-4-2027-03-11\.csv$/);
  const csv = readFileSync(await saved.path(), "utf8");
  assert.ok(csv.startsWith("\ufeff端末,状態,") && csv.split("\r\n").length === 9 && csv.includes("t-0002,拒否,2027/03/11"), csv);
  await lead.goto("/switchovers");
  await has(lead, "2027年度業者切替", "番号4", "取りやめ", "配信中", "2027031100001", "2組のうち2組まで配信", "期限 2038年3月31日");
  await picture(lead, "city-switchovers", { fullPage: true });

  // ---- What contractors see of it: their own terminals, and nobody who decided.
  await back(leaving, "haisha1");
  const coming = await somebody();
  await signIn(coming, "haisha4", told.password);
  await coming.waitForURL((url) => url.pathname !== "/signin");
  for (const page of [leaving, coming]) {
    await page.goto("/switchovers");
    await has(page, "2027年度業者切替");
    await lacks(page, fingerprint, "起案を待つ", "（案）");
    await follow(page, "2027年度業者切替");
    await has(page, "配信中", "第四収集");
    await lacks(page, "起案 一郎", "承認 二郎", "第二収集", "点検の結果", "配信を止める");
    await look(page, "/switchovers/4, of a contractor");
    await follow(page, "端末ごとに見る");
    await has(page, "t-0001", "t-0002", "t-0003", "t-0004", "拒否", "沈黙");
    await lacks(page, "t-0005", "t-0006", "t-0007", "第二収集");
    await look(page, "/switchovers/4/readiness, of a contractor");
    for (const path of ["/switchovers/1", "/switchovers/99", "/switchovers/4/push"]) {
      assert.ok([403, 404].includes((await page.goto(path)).status()), path);
    }
  }
  // Whoever has a tablet today is called by the number that is today's contractor's business alone.
  await leaving.goto("/switchovers/4/readiness");
  await has(leaving, "02012345604");
  await coming.goto("/switchovers/4/readiness");
  await lacks(coming, "02012345604");
  await picture(coming, "city-readiness-contractor", { fullPage: true });
  const other = await somebody();
  await signIn(other, "haisha3", told.password);
  await at(other, "/");
  await other.goto("/switchovers");
  await has(other, "業者切替はまだありません");
  await lacks(other, "2027年度業者切替");
  for (const path of ["/switchovers/4", "/switchovers/4/readiness", "/switchovers/4/readiness.csv"]) {
    assert.equal((await other.goto(path)).status(), 404, path);
  }

  // ---- Every page: both languages, light and dark, desk and phone.
  const pages = [
    "/switchovers", "/switchovers/1", "/switchovers/2", "/switchovers/2/readiness", "/switchovers/3", "/switchovers/4", "/switchovers/4/readiness",
    "/switchovers/4/readiness?state=refused", "/switchovers/4/withdraw", "/terminals/t-0002",
  ];
  await lookAtAll(lead, pages);
  await lookAtAll(coming, ["/switchovers", "/switchovers/4", "/switchovers/4/readiness"]);
  await lead.setViewportSize(PHONE);
  await lead.emulateMedia({ colorScheme: "light" });
  await lead.goto("/switchovers/4/readiness?lang=ja");
  await picture(lead, "city-readiness-phone");
  await lead.goto("/switchovers/4?lang=ja");
  await picture(lead, "city-switchover-phone");
  await lead.setViewportSize(DESK);

  // ---- Midnight of 1 April: one more has come, and one is switched off.
  on("t-0003");
  await until(lead, "/switchovers/4/readiness", ["t-0003", "準備済み（切替待ち）"]);
  await off("t-0001");
  clock("2027-03-31T14:59:58Z");
  await back(lead, "kian");
  await until(
    lead, "/switchovers/4/readiness", ["t-0005", "正常", "なし"], ["t-0006", "要確認（機器なし）", "機器が見つからない", "機器を挿し直してもらう"],
    ["t-0003", "元の回線", "新しい接続先につながらない", "新しい版を配る"], ["t-0001", "準備済み（切替待ち）"],
  );
  await lead.goto("/switchovers/4");
  await has(lead, "切替済み", "過ぎました", "切替の日時が来た");
  // By noon whoever has not said that it changed over is silent, and says so as soon as it is on.
  clock("2027-04-01T03:05:00Z");
  await back(lead, "kian");
  await until(lead, "/switchovers/4/readiness", ["t-0001", "沈黙", "電話"], ["t-0004", "沈黙", "電話"]);
  await lookAtAll(lead, ["/switchovers", "/switchovers/4", "/switchovers/4/readiness", "/switchovers/4/close"]);
  await lead.setViewportSize(DESK);
  await lead.emulateMedia({ colorScheme: "light" });
  await lead.goto("/switchovers/4/readiness?lang=ja");
  await picture(lead, "city-readiness-after", { fullPage: true });
  on("t-0001");
  await until(lead, "/switchovers/4/readiness", ["t-0001", "正常", "なし"]);

  // ---- The one that left sees it no more; it is closed, and whose accounts are left is told.
  await back(leaving, "haisha1");
  assert.equal((await leaving.goto("/switchovers/4")).status(), 403);
  await back(coming, "haisha4");
  await coming.goto("/switchovers/4/readiness?lang=ja");
  await has(coming, "t-0001", "元の回線");
  await lead.goto("/switchovers/4?lang=ja");
  await follow(lead, "完了にする");
  await has(lead, "を完了にしますか");
  await press(lead, "完了にする");
  await has(lead, "完了にしました");
  await lead.goto("/attention");
  await has(lead, "第一収集の利用者1人です");

  // ---- The audit log has all of it.
  await lead.goto("/audit");
  await has(
    lead, "端末の設定の受取り", "業者切替を起案", "業者切替を点検", "業者切替を承認", "業者切替を配信", "業者切替の配信を停止", "業者切替を取りやめ", "業者切替を完了",
    "業者切替の準備の状況を閲覧", "起案 一郎", "承認 二郎",
  );
} finally {
  await off(...running.keys());
}
await leave();
