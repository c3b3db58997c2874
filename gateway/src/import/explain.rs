//! A profile in plain words, for the person who has to trust it.

use serde::Serialize;

use super::profile::{Covers, Field, ItemFields, Items, Profile, Skip, WaveDash, Width};
use crate::encoding::Encoding;

/// The language of an explanation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// Japanese.
    #[default]
    Ja,
    /// English.
    En,
}

/// One part of an explanation.
#[derive(Debug, Clone, Serialize)]
pub struct Part {
    /// What it is about.
    pub title: String,
    /// What is said of it.
    pub lines: Vec<String>,
}

impl Language {
    /// The text in this language.
    pub(super) fn pick<'a>(self, ja: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Ja => ja,
            Self::En => en,
        }
    }

    /// A field's name for people.
    pub(super) fn field(self, field: &str) -> &str {
        let (ja, en) = match field {
            "date" => ("収集日", "date of collection"),
            "district" => ("収集地区", "district"),
            "vehicle" => ("号車", "vehicle"),
            "reception" => ("受付番号", "reception number"),
            "ward" => ("区", "ward"),
            "town" => ("町丁目", "town"),
            "lot" => ("番地・号室", "lot and room"),
            "building" => ("建物名", "building"),
            "spot" => ("排出場所", "placing spot"),
            "notice" => ("連絡事項", "notice for the crew"),
            "lat" => ("緯度", "latitude"),
            "lng" => ("経度", "longitude"),
            "lat, lng" => ("緯度・経度", "position"),
            "payment" => ("支払", "payment"),
            "status" => ("状態（予定・取消）", "status (planned, cancelled)"),
            "order" => ("収集順", "place in the round"),
            "item" => ("品目", "item"),
            "count" => ("個数", "count"),
            "tickets" => ("納付券", "tickets"),
            "recycling" => ("家電リサイクル券", "recycling ticket"),
            other => return other,
        };
        self.pick(ja, en)
    }
}

/// Explains a profile.
pub(super) fn explain(profile: &Profile, words: Language) -> Vec<Part> {
    vec![
        part(words.pick("このプロファイル", "This profile"), about(profile, words)),
        part(words.pick("ファイルの形", "The file's form"), form(profile, words)),
        part(words.pick("文字", "Characters"), letters(profile, words)),
        part(words.pick("列の使い方", "What the columns become"), columns(profile, words)),
        part(words.pick("申込を見分けるキー", "What names a request"), key(profile, words)),
        part(words.pick("飛ばす行", "Lines left out"), skipped(profile, words)),
    ]
}

fn part(title: &str, lines: Vec<String>) -> Part {
    Part { title: title.to_owned(), lines }
}

fn about(profile: &Profile, words: Language) -> Vec<String> {
    let (name, source, percent) = (&profile.name, &profile.source, profile.missing_percent);
    let covers = match (profile.covers, words) {
        (Covers::WholeDay, Language::Ja) => format!(
            "ファイルは、その中にある日の申込すべてです。載っていない予定は取消になります。1日の予定の{percent}%より多く欠けていれば、取り込まずに人の判断を待ちます"
        ),
        (Covers::WholeDay, Language::En) => format!(
            "A file is the whole of each day in it: what is planned and missing there is cancelled. Where more than {percent} % of a day is missing, it is held for a person"
        ),
        (Covers::Changes, Language::Ja) => {
            "ファイルは追加と変更だけです。載っていない申込はそのままです".to_owned()
        }
        (Covers::Changes, Language::En) => {
            "A file holds additions and changes: what is missing there stays as it is".to_owned()
        }
    };
    let named = match words {
        Language::Ja => format!("名前は {name}、受付システムは {source} です"),
        Language::En => format!("It is called {name} and reads files of the reception system {source}"),
    };
    vec![named, covers]
}

fn form(profile: &Profile, words: Language) -> Vec<String> {
    let encoding = match profile.encoding {
        Encoding::Utf8 => words.pick(
            "文字コードは UTF-8 です（BOM はあってもなくても可）",
            "Encoding: UTF-8, with or without a mark",
        ),
        Encoding::Cp932 => words.pick(
            "文字コードは CP932（Windows の Shift_JIS）です",
            "Encoding: CP932 (Shift_JIS as Windows has it)",
        ),
    };
    let header = match (profile.header, words) {
        (true, Language::Ja) => "1行目は列の名前です".to_owned(),
        (true, Language::En) => "The first line names the columns".to_owned(),
        (false, Language::Ja) => {
            format!(
                "見出しの行はなく、どの行も{}列です: {}",
                profile.columns.len(),
                numbered(&profile.columns)
            )
        }
        (false, Language::En) => {
            format!(
                "There is no header; every line has {} cells: {}",
                profile.columns.len(),
                numbered(&profile.columns)
            )
        }
    };
    let delimiter = match profile.delimiter {
        ',' => words.pick("コンマ", "a comma").to_owned(),
        '\t' => words.pick("タブ", "a tab").to_owned(),
        other => format!("「{other}」"),
    };
    let cells = match words {
        Language::Ja => format!("区切りは{delimiter}、囲みは {} です", profile.quote),
        Language::En => format!("Between cells stands {delimiter}, around them {}", profile.quote),
    };
    let formats = profile.date_format.0.iter().map(|format| match format.as_str() {
        "wareki" => {
            words.pick("和暦（令和8年4月1日、R8.4.1）", "of the era (令和8年4月1日, R8.4.1)").to_owned()
        }
        "wareki_digits" => words.pick("和暦の数字（080401）", "digits of the era (080401)").to_owned(),
        other => sample(other),
    });
    let formats = formats.collect::<Vec<_>>().join(words.pick("、または ", ", or "));
    let mut lines = vec![encoding.to_owned(), header, cells];
    lines.push(format!("{}: {formats}", words.pick("日付の書き方", "Dates")));
    if let Some(day) = profile.reference_day {
        lines.push(match words {
            Language::Ja => format!("年のない日付は、取り込む日（いまなら {day}）にいちばん近い日とします"),
            Language::En => {
                format!("Dates without a year are the nearest to the day of the import (now {day})")
            }
        });
    }
    lines
}

/// A format with what it makes of a day.
fn sample(format: &str) -> String {
    let written = jiff::fmt::strtime::format(format, jiff::civil::date(2026, 4, 1).at(9, 0, 0, 0));
    written.map_or_else(|_| format.to_owned(), |written| format!("{written} ({format})"))
}

fn numbered(columns: &[String]) -> String {
    let one = |(index, name): (usize, &String)| {
        format!("{} {}", index + 1, if name.is_empty() { "-" } else { name })
    };
    columns.iter().enumerate().map(one).collect::<Vec<_>>().join(", ")
}

fn letters(profile: &Profile, words: Language) -> Vec<String> {
    let width = match profile.width {
        Width::Normalize => words.pick(
            "文章の半角カナは全角に、全角の英数字は半角にします。①㈱㎡などはそのままです",
            "In texts half-width katakana becomes full-width, letters and digits half-width; ①, ㈱, ㎡ and the like stay",
        ),
        Width::Keep => words.pick("文章の全角・半角はそのままです", "Half and full width of texts stay as they are"),
    };
    let dash = match profile.wave_dash {
        WaveDash::WaveDash => words.pick("〜と～は 〜（U+301C）にそろえます", "〜 and ～ become 〜 (U+301C)"),
        WaveDash::FullwidthTilde => {
            words.pick("〜と～は ～（U+FF5E）にそろえます", "〜 and ～ become ～ (U+FF5E)")
        }
    };
    let forms = if profile.variants.enabled {
        words.pick(
            "列名・地区・区・読み替えを探すときは、髙と高のような新旧の字体を同じとみなします。文章は書かれたままです",
            "Where columns, districts, wards and translations are looked up, old and new forms (髙, 高) are one; texts stay",
        )
    } else {
        words.pick("新旧の字体は別の字とみなします", "Old and new forms of a character are different ones")
    };
    let gaiji: Vec<String> = profile.gaiji.entries().map(|(code, text)| format!("{code} = {text}")).collect();
    let gaiji = if gaiji.is_empty() {
        words.pick(
            "外字の表はありません。使う列に外字があれば、その行は誤りです",
            "There is no table of external characters: one in a column that is used is an error of its line",
        ).to_owned()
    } else {
        format!(
            "{}: {}",
            words.pick(
                "外字（表に無いものは、その行の誤り）",
                "External characters (others are errors of their line)"
            ),
            gaiji.join(", ")
        )
    };
    vec![width.to_owned(), dash.to_owned(), forms.to_owned(), gaiji]
}

fn columns(profile: &Profile, words: Language) -> Vec<String> {
    let mut lines: Vec<String> = profile
        .fields
        .all()
        .map(|(name, field)| format!("{} <- {}", words.field(name), told(field, words)))
        .collect();
    let item = |fields: &ItemFields, lines: &mut Vec<String>| {
        for (name, field) in [
            ("item", Some(&fields.name)),
            ("count", fields.count.as_ref()),
            ("tickets", fields.tickets.as_ref()),
            ("recycling", fields.recycling.as_ref()),
        ] {
            lines.extend(field.map(|field| format!("{} <- {}", words.field(name), told(field, words))));
        }
        for ticket in &fields.ticket {
            lines.push(format!(
                "{} {}円 <- {}",
                words.field("tickets"),
                ticket.yen,
                told(&ticket.count, words)
            ));
        }
    };
    match &profile.items {
        Items::Lines(fields) => {
            lines.push(
                words
                    .pick(
                        "品目は1行に1点。キーが同じ行は1件の申込です",
                        "One item a line; lines with the same key are one request",
                    )
                    .to_owned(),
            );
            item(fields, &mut lines);
        }
        Items::Columns(columns) => {
            lines.push(match words {
                Language::Ja => format!("品目は横に並ぶ列に、最大{}点（{{n}} は 1, 2, …）", columns.most),
                Language::En => format!(
                    "Items stand in columns side by side, at most {} ({{n}} is 1, 2, …)",
                    columns.most
                ),
            });
            let fields = ItemFields {
                name: columns.name.clone(),
                count: columns.count.clone(),
                tickets: columns.tickets.clone(),
                ticket: columns.ticket.clone(),
                recycling: columns.recycling.clone(),
            };
            item(&fields, &mut lines);
        }
        Items::Text(text) => {
            let (between, times) = (text.between.join(" "), text.times.join(" "));
            lines.push(match words {
                Language::Ja => format!(
                    "品目は1つの列 {} に。品目の間は {between}、個数の前は {times}",
                    told(&text.text, words)
                ),
                Language::En => format!(
                    "Items stand in one cell, {}; between items: {between}, before the count: {times}",
                    told(&text.text, words)
                ),
            });
        }
    }
    lines
}

/// Where a field's value comes from.
fn told(field: &Field, words: Language) -> String {
    if let Some(constant) = &field.constant {
        return format!("{} 「{constant}」", words.pick("いつも", "always"));
    }
    let mut told = format!("「{}」", field.column.as_deref().unwrap_or_default());
    let mut add = |text: String| {
        told.push_str(words.pick("、", ", "));
        told.push_str(&text);
    };
    if let Some(after) = &field.after {
        add(match words {
            Language::Ja => format!("「{after}」より後"),
            Language::En => format!("what follows 「{after}」"),
        });
    }
    if let Some(before) = &field.before {
        add(match words {
            Language::Ja => format!("「{before}」より前"),
            Language::En => format!("what stands before 「{before}」"),
        });
    }
    if !field.map.is_empty() {
        let map: Vec<String> = field.map.iter().map(|(from, to)| format!("{from} = {to}")).collect();
        add(format!("{} ({})", words.pick("読み替え", "translated"), map.join(", ")));
    }
    if let Some(default) = &field.default {
        add(match words {
            Language::Ja => format!("空なら「{default}」"),
            Language::En => format!("where empty 「{default}」"),
        });
    }
    if field.pad > 0 {
        add(match words {
            Language::Ja => format!("{}桁まで0を補う", field.pad),
            Language::En => format!("filled up with zeros to {}", field.pad),
        });
    }
    told
}

fn key(profile: &Profile, words: Language) -> Vec<String> {
    let columns = profile.key.join(" / ");
    let dated = profile.key.iter().any(|name| profile.fields.date.column.as_ref() == Some(name));
    let moves = if dated {
        words.pick(
            "収集日がキーに入っているので、日が変わった申込は別の申込になります",
            "The date is part of it: a request of another day is another request",
        )
    } else {
        words.pick(
            "収集日はキーに入っていないので、日が変わっても同じ申込です",
            "The date is no part of it: a request may move to another day",
        )
    };
    let same = words.pick(
        "全角と半角、0埋め、日付の書き方が違っても同じキーです。新旧の字体は別のキーです",
        "Width, zeros in front and the way a date is written make no other key; old and new forms of a character do",
    );
    vec![columns, moves.to_owned(), same.to_owned()]
}

fn skipped(profile: &Profile, words: Language) -> Vec<String> {
    if profile.skip.is_empty() {
        return vec![words.pick("ありません（空の行のほか）", "None but empty ones").to_owned()];
    }
    let rule = |Skip { name, column, empty, equals, matches }: &Skip| {
        let what = match (empty, matches) {
            (Some(true), _) => words.pick("空", "is empty").to_owned(),
            (Some(false), _) => words.pick("空でない", "is not empty").to_owned(),
            (None, Some(pattern)) => format!("{} {pattern}", words.pick("形が", "looks like")),
            (None, None) => format!("= {}", equals.join(", ")),
        };
        format!("{name}: 「{column}」 {what}")
    };
    profile.skip.iter().map(rule).collect()
}
