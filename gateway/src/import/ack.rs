//! What another system is told of a file that it dropped: `NAME.ack.json` for a program, `NAME.ack.txt` for a person.

use jiff::civil::Date;
use meguri_proto::Digest;
use serde::Serialize;

use super::{Counts, Missing, Outcome, Problem, Report};
use crate::direction::printable;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// All was taken; of a file that came before, that may be nothing new.
    Taken,
    /// All was taken but for the rejected lines.
    TakenPartly,
    /// A person decides whether it is taken.
    Held,
    /// It has lines that can't be taken: nothing was.
    Rejected,
    /// It can't be read at all: nothing was taken.
    Unreadable,
}

impl Status {
    /// What an import's report says.
    pub(super) fn of(report: &Report) -> Self {
        match report.outcome {
            Outcome::Applied if report.rejected.is_some() => Self::TakenPartly,
            Outcome::Applied | Outcome::Dropped => Self::Taken,
            Outcome::Held => Self::Held,
            Outcome::Rejected => Self::Rejected,
        }
    }

    /// The folder for files of which this came.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Taken | Self::TakenPartly => "done",
            Self::Held => "held",
            Self::Rejected | Self::Unreadable => "rejected",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Taken => "取り込みました",
            Self::TakenPartly => "誤りのある行を除いて取り込みました",
            Self::Held => "担当者の判断を待っています（まだ何も取り込んでいません）",
            Self::Rejected => "誤りのある行があるため、何も取り込みませんでした",
            Self::Unreadable => "読めないため、何も取り込みませんでした",
        }
    }
}

/// The acknowledgement of one file.
#[derive(Debug, Serialize)]
pub(super) struct Ack<'a> {
    /// Grows when a field changes its meaning.
    version: u32,
    /// The file's name as it was dropped.
    pub(super) file: &'a str,
    /// SHA-256 of its bytes as they came.
    pub(super) sha256: Digest,
    pub(super) status: Status,
    /// When, with the offset of Japan.
    pub(super) at: String,
    /// The import's number, where there is one.
    import: Option<i64>,
    /// Where the file is now, from the watched folder.
    pub(super) moved_to: &'a str,
    /// Where its rejected lines are, from the watched folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rejected_file: Option<&'a str>,
    rejected_lines: u64,
    days: &'a [Date],
    counts: Counts,
    missing: &'a [Missing],
    /// The first of them, by line and column.
    problems: &'a [Problem],
    more_problems: u64,
}

impl<'a> Ack<'a> {
    pub(super) fn new(
        file: &'a str,
        sha256: Digest,
        at: String,
        moved_to: &'a str,
        report: Result<&'a Report, &'a Problem>,
    ) -> Self {
        let empty = Ack {
            version: 1,
            file,
            sha256,
            status: Status::Unreadable,
            at,
            import: None,
            moved_to,
            rejected_file: None,
            rejected_lines: 0,
            days: &[],
            counts: Counts::default(),
            missing: &[],
            problems: &[],
            more_problems: 0,
        };
        match report {
            Err(problem) => Ack { problems: std::slice::from_ref(problem), ..empty },
            Ok(report) => Ack {
                status: Status::of(report),
                import: report.import,
                rejected_lines: report.rejected.as_ref().map_or(0, |rejected| rejected.lines),
                days: &report.days,
                counts: report.counts,
                missing: &report.missing,
                problems: &report.problems,
                more_problems: report.more_problems,
                ..empty
            },
        }
    }

    /// For a program.
    pub(super) fn json(&self) -> String {
        // Plain data with texts as keys always becomes JSON.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// For a person, as every editor of Windows shows it: a byte order mark, and its line ends.
    pub(super) fn text(&self) -> String {
        let mut lines = vec![
            format!("ファイル: {}", printable(self.file)),
            format!("結果: {}", self.status.words()),
            format!("日時: {}", self.at),
        ];
        if let Some(import) = self.import {
            lines.push(format!("取込番号: {import}"));
        }
        lines.push(format!("移動先: {}", printable(self.moved_to)));
        if self.status != Status::Unreadable {
            let counts = &self.counts;
            lines.push(format!("行数: {}（対象外 {}）", counts.lines, counts.skipped));
        }
        if matches!(self.status, Status::Taken | Status::TakenPartly) {
            let counts = &self.counts;
            lines.push(format!(
                "追加 {}、変更 {}、変わりなし {}、取消 {}、取消の取りやめ {}、順番だけ変更 {}",
                counts.added,
                counts.changed,
                counts.unchanged,
                counts.cancelled,
                counts.reinstated,
                counts.reordered
            ));
        }
        if let Some(rejected) = self.rejected_file {
            lines.push(format!(
                "誤りのある行: {} 行、{} に書き出しました",
                self.rejected_lines,
                printable(rejected)
            ));
        }
        for Missing { date, planned, missing } in self.missing {
            lines.push(format!("{date}: 予定 {planned} 件のうち {missing} 件がファイルにありません"));
        }
        if !self.problems.is_empty() {
            lines.push(String::new());
            lines.push("誤り（行、列、内容）:".to_owned());
            lines.extend(self.problems.iter().map(Problem::to_string));
        }
        if self.more_problems > 0 {
            lines.push(format!("ほか {} 件", self.more_problems));
        }
        format!("\u{FEFF}{}\r\n", lines.join("\r\n"))
    }
}
