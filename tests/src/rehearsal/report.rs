//! What came of a rehearsal, on one page that somebody in an office understands: Japanese first, English after it.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use meguri_proto::clock::japan;

use super::check::Check;

/// What was rehearsed and what came of it.
#[derive(Debug, Clone)]
pub struct Report {
    /// The city's name.
    pub city: String,
    /// Whether it is made up.
    pub made_up: bool,
    /// How many terminals, and how many of them come under another contract.
    pub terminals: (usize, usize),
    /// How many contractors.
    pub contractors: usize,
    /// The instant.
    pub instant: Timestamp,
    /// From when to when time ran.
    pub ran: (Timestamp, Timestamp),
    /// How many files of requests, pickups, records and messages there were.
    pub counts: Counts,
    /// What went wrong on purpose: in Japanese, in English, and with how many terminals.
    pub faults: Vec<(String, String, usize)>,
    /// What was looked at.
    pub checks: Vec<Check>,
    /// How long it took.
    pub took: Duration,
    /// The command that plays the same again.
    pub again: String,
    /// From what it was drawn.
    pub seed: u64,
}

/// How much happened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Pickups.
    pub pickups: usize,
    /// Records of crews.
    pub facts: usize,
    /// Messages between terminals and office.
    pub messages: u64,
}

impl Report {
    /// Whether everything came out as it should.
    #[must_use]
    pub fn good(&self) -> bool {
        self.checks.iter().all(|check| check.good)
    }

    /// As a page.
    #[must_use]
    pub fn page(&self) -> String {
        let mut page = String::new();
        self.japanese(&mut page);
        page.push_str("\n---\n\n");
        self.english(&mut page);
        page
    }

    fn japanese(&self, page: &mut String) {
        let [from, until, instant] = self.days();
        let (all, changing) = self.terminals;
        let made_up = if self.made_up { "（架空の市）" } else { "" };
        let Counts { pickups, facts, messages } = self.counts;
        let failed = self.checks.iter().filter(|check| !check.good).count();
        let verdict = if failed == 0 {
            format!("**結果：{} 項目すべて予定どおりでした。**", self.checks.len())
        } else {
            format!(
                "**結果：{} 項目のうち {failed} 項目が予定どおりではありません（✘）。**",
                self.checks.len()
            )
        };
        // Writing to a text never fails.
        let _ = write!(
            page,
            "# 業者切替の予行：報告書\n\n{verdict}\n\n\
             {}{made_up}の業者 {} 社、端末 {all} 台（うち契約が替わるもの {changing} 台）。切替の時刻は {instant}。\n\
             端末の中身と役所の中身は実物で、時間だけを早送りしました：{from} から {until} までを {}。収集 {pickups} 件、\
             乗務員の記録 {facts} 件、通信 {messages} 通。切替の夜、役所のサーバーは 22:47 から翌朝 6:12 まで止めました。\
             計画は一度取り下げ、作り直して承認し直し、切替前に別の直しと鍵の取替えもしました。\n\n## わざと起こした障害\n\n| 障害 | 台数 |\n|---|---|\n",
            self.city,
            self.contractors,
            minutes_ja(self.took)
        );
        for (ja, _, count) in &self.faults {
            let _ = writeln!(page, "| {ja} | {count} |");
        }
        page.push_str("\n## 確かめたこと\n\n");
        for (number, check) in self.checks.iter().enumerate() {
            let _ = writeln!(page, "{}. {} {}", number + 1, mark(check), check.ja);
        }
    }

    fn english(&self, page: &mut String) {
        let [from, until, instant] = self.days();
        let (all, changing) = self.terminals;
        let made_up = if self.made_up { " (a made-up city)" } else { "" };
        let Counts { pickups, facts, messages } = self.counts;
        let failed = self.checks.iter().filter(|check| !check.good).count();
        let verdict = if failed == 0 {
            format!("**Result: all {} points came out as planned.**", self.checks.len())
        } else {
            format!("**Result: {failed} of {} points did not come out as planned (✘).**", self.checks.len())
        };
        let _ = write!(
            page,
            "# A contractor switchover, rehearsed: the report\n\n{verdict}\n\n\
             {}{made_up}: {} contractors, {all} terminals, of which {changing} come under another contract, at {instant}.\n\
             Terminals and office were the real ones, time alone ran fast: from {from} to {until} in {}. {pickups} pickups, {facts} records \
             of crews, {messages} messages. On the night of the switchover the office's server was down from 22:47 to 6:12. The plan was \
             withdrawn once, made anew and approved again; before the switchover a correction went out and a key was replaced.\n\n\
             ## What went wrong on purpose\n\n| fault | terminals |\n|---|---|\n",
            self.city,
            self.contractors,
            minutes_en(self.took)
        );
        for (_, en, count) in &self.faults {
            let _ = writeln!(page, "| {en} | {count} |");
        }
        page.push_str("\n## What was looked at\n\n");
        for (number, check) in self.checks.iter().enumerate() {
            let _ = writeln!(page, "{}. {} {}", number + 1, mark(check), check.en);
        }
        let Self { seed, again, .. } = self;
        let _ = writeln!(page, "\nDrawn from seed {seed}: `{again}` plays the same again.");
    }

    fn days(&self) -> [String; 3] {
        let day = |at: Timestamp| at.to_zoned(japan()).strftime("%Y-%m-%d").to_string();
        let instant = self.instant.to_zoned(japan()).strftime("%Y-%m-%d %H:%M").to_string();
        [day(self.ran.0), day(self.ran.1), instant]
    }
}

fn mark(check: &Check) -> &'static str {
    if check.good { "✔" } else { "✘" }
}

fn minutes_ja(took: Duration) -> String {
    let seconds = took.as_secs();
    if seconds < 120 {
        format!("{seconds} 秒で")
    } else {
        format!("{} 分 {} 秒で", seconds / 60, seconds % 60)
    }
}

fn minutes_en(took: Duration) -> String {
    let seconds = took.as_secs();
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min {} s", seconds / 60, seconds % 60) }
}
