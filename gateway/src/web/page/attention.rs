//! What needs looking at: on the front page, and all of it on a page of its own.

use std::fmt::Display;

use maud::{Markup, html};

use super::super::board::{ATTENTION_SHOWN, Attention, Board, Held, Line};
use super::super::format;
use super::super::names::Names;
use super::super::request::Address;
use super::super::state::{self, State};
use super::super::text::{Lang, Text};
use super::board::View;
use super::dot;

/// How many of what is no pickup stand on the front page, so that they never push the pickups off it.
const OTHERS_SHOWN: usize = 6;

impl View<'_> {
    /// The front page's part: the gravest first, the rest a page away.
    pub(super) fn attention(&self) -> Markup {
        let (lang, board) = (self.lang, self.board);
        let all = format!("/attention?day={}", board.date);
        let mut others = 0;
        let shown: Vec<&Attention> = board
            .attention
            .iter()
            .filter(|item| {
                others += usize::from(!matches!(item, Attention::Pickup(_)));
                matches!(item, Attention::Pickup(_)) || others <= OTHERS_SHOWN
            })
            .take(ATTENTION_SHOWN as usize)
            .collect();
        html! {
            div .head {
                h2 { (lang.say(Text::Attention)) }
                span .count { (lang.fill(Text::Count, &[("count", &format::number(board.attention_count))])) }
            }
            @if board.attention.is_empty() {
                p .empty { (lang.say(Text::AttentionNone)) }
            }
            ul .items { @for item in &shown { li { (self.attention_item(item)) } } }
            @if board.attention_count as usize > shown.len() {
                p .more { a .quiet href=(all) {
                    (lang.fill(Text::AttentionAll, &[("count", &format::number(board.attention_count))]))
                } }
            }
        }
    }

    /// A round whose list reaches nobody, and what helps: which contract the vehicle has in the plan says whether the
    /// pickups or the terminal stayed behind.
    fn uncarried(&self, contract: &str, vehicle: &str, left: u32) -> Markup {
        let (lang, names) = (self.lang, &self.board.names);
        let planned = self.city.vehicle.iter().find(|known| known.id.as_str() == vehicle);
        let moved =
            planned.is_none_or(|planned| planned.contract.iter().all(|known| known.as_str() != contract));
        let bound = self.board.terminals.iter().find(|terminal| terminal.vehicle == vehicle);
        let round = [("vehicle", &names.vehicle(vehicle) as &dyn Display), ("round", &names.round(vehicle))];
        html! {
            span .time {}
            div {
                p .what { b .warn { (lang.say(Text::Uncarried)) } " " (lang.fill(Text::VehicleRound, &round)) }
                p .sub {
                    (lang.fill(Text::UncarriedLeft, &[("left", &format::number(left))]))
                    (dot(lang)) (names.contractor(contract))
                }
                @if moved {
                    p .sub { (lang.say(Text::UncarriedMoved)) }
                } @else if let Some(bound) = bound {
                    (self.command(Text::UncarriedBind, &lang.fill(
                        Text::UncarriedBindHow,
                        &[("terminal", &bound.id), ("vehicle", &vehicle)],
                    )))
                } @else {
                    (self.command(Text::UncarriedAdd, &lang.fill(Text::UncarriedAddHow, &[("vehicle", &vehicle)])))
                }
            }
        }
    }

    /// Which import is held, and why.
    fn held(&self, held: &Held) -> Markup {
        let lang = self.lang;
        let (file, _) = format::raw(held.file.as_bytes(), 80);
        html! {
            p .said { (lang.fill(Text::HistoryFile, &[("file", &file)])) }
            @for missing in &held.missing {
                p .said { (lang.fill(Text::ImportMissing, &[
                    ("day", &self.day_text(missing.date)),
                    ("planned", &missing.planned),
                    ("missing", &missing.missing),
                ])) }
            }
        }
    }

    fn command(&self, what: Text, arguments: &str) -> Markup {
        super::command(self.lang, what, self.data, arguments)
    }

    fn attention_item(&self, item: &Attention) -> Markup {
        let lang = self.lang;
        match item {
            Attention::Pickup(line) => exception(lang, self.board, line),
            Attention::Uncarried { contract, vehicle, left } => self.uncarried(contract, vehicle, *left),
            Attention::Silent { terminal, left } => {
                let names = &self.board.names;
                let (vehicle, round) = (names.vehicle(&terminal.vehicle), names.round(&terminal.vehicle));
                let since = match terminal.heard {
                    Some(heard) => lang.fill(
                        Text::SilentSince,
                        &[("time", &self.at(heard)), ("left", &format::number(*left))],
                    ),
                    None => lang.fill(Text::SilentNever, &[("left", &format::number(*left))]),
                };
                html! {
                    span .time { @if let Some(heard) = terminal.heard { (self.at(heard)) } }
                    div {
                        p .what { b .warn { (lang.say(Text::Silent)) } " "
                            (lang.fill(Text::VehicleRound, &[("vehicle", &vehicle), ("round", &round)])) }
                        p .sub {
                            (since)
                            @if let Some(waiting) = terminal.waiting && waiting > 0 {
                                (dot(lang)) (lang.fill(Text::Waiting, &[("count", &format::number(waiting))]))
                            }
                            (dot(lang)) (terminal.id)
                        }
                    }
                }
            }
            Attention::Notice { id, kind, terminal, at, detail, held } => {
                let (title, hint) = notice(kind);
                let number = |name| detail.get(name).and_then(serde_json::Value::as_i64);
                html! {
                    span .time { (self.at(*at)) }
                    div {
                        p .what { b .warn { (lang.say(title)) } @if let Some(terminal) = terminal { " " span .place { (terminal) } } }
                        p .sub { @match hint {
                            Some(Text::NoticeWatchTroubleHint) => { (watch_trouble(lang, detail)) }
                            Some(hint) => { (with_numbers(lang, hint, detail, &self.board.names)) }
                            None => { (kind) }
                        } }
                        @if let Some(held) = held { (self.held(held)) }
                        @if let Some(switchover) = number("switchover") { p .sub {
                            a .number href={ "/switchovers/" (switchover) "/readiness" } { (lang.say(Text::Readiness)) }
                        } }
                        @match number("import") {
                            Some(import) => {
                                (self.command(Text::ImportRelease, &format!("import release {import}")))
                                (self.command(Text::ImportDrop, &format!("import drop {import}")))
                            }
                            // It goes by itself once the terminal is bound anew.
                            None if kind == "contract_moved" || kind == "contract_over" => {}
                            // It goes once the release has come, or is offered.
                            None if kind == "config_unknown" || kind == "config_expired" => {}
                            None if kind == "clock_doubted" => { (self.command(Text::ClockRight, "clock right")) }
                            // It goes by itself, too, unless the folder is not watched any more.
                            None => { (self.command(Text::NoticeSettle, &format!("notice settle {id}"))) }
                        }
                        p .sub {
                            @if let Some((first, last)) = number("first").zip(number("last")) {
                                (lang.fill(Text::NoticeNumbers, &[("first", &first), ("last", &last)])) (dot(lang))
                            }
                            @if let Some(import) = number("import") {
                                (lang.fill(Text::NoticeImport, &[("import", &import)])) (dot(lang))
                            }
                            (lang.fill(Text::NoticeNumber, &[("id", id)]))
                        }
                    }
                }
            }
            Attention::Aside { count, at } => html! {
                span .time { (self.at(*at)) }
                div {
                    p .what { a href="/aside" {
                        b .warn { (lang.fill(Text::AsideWaiting, &[("count", &format::number(*count))])) }
                    } }
                    p .sub { (lang.say(Text::AsideWaitingHint)) }
                }
            },
        }
    }
}

/// The words for a kind of notice; a kind of a later version stands as it is.
fn notice(kind: &str) -> (Text, Option<Text>) {
    match kind {
        "fork" => (Text::NoticeFork, Some(Text::NoticeForkHint)),
        "hole" => (Text::NoticeHole, Some(Text::NoticeHoleHint)),
        "two_devices" => (Text::NoticeTwoDevices, Some(Text::NoticeTwoDevicesHint)),
        "list_too_large" => (Text::NoticeListTooLarge, Some(Text::NoticeListTooLargeHint)),
        "lost" => (Text::NoticeLost, Some(Text::NoticeLostHint)),
        "lost_before_restore" => (Text::NoticeLostBeforeRestore, Some(Text::NoticeLostBeforeRestoreHint)),
        "found_before_restore" => (Text::NoticeFoundBeforeRestore, Some(Text::NoticeFoundBeforeRestoreHint)),
        "erased" => (Text::NoticeErased, Some(Text::NoticeErasedHint)),
        "restored" => (Text::NoticeRestored, Some(Text::NoticeRestoredHint)),
        "import_held" => (Text::NoticeImportHeld, Some(Text::NoticeImportHeldHint)),
        "clock_doubted" => (Text::NoticeClockDoubted, Some(Text::NoticeClockDoubtedHint)),
        "stays_erased" => (Text::NoticeStaysErased, Some(Text::NoticeStaysErasedHint)),
        "contract_moved" => (Text::NoticeContractMoved, Some(Text::NoticeContractMovedHint)),
        "watch_trouble" => (Text::NoticeWatchTrouble, Some(Text::NoticeWatchTroubleHint)),
        "keys_first" => (Text::NoticeKeysFirst, Some(Text::NoticeKeysFirstHint)),
        "keys_rotated" => (Text::NoticeKeysRotated, Some(Text::NoticeKeysRotatedHint)),
        "switchover_stopped" => (Text::NoticeSwitchoverStopped, Some(Text::NoticeSwitchoverStoppedHint)),
        "switchover_waits" => (Text::NoticeSwitchoverWaits, Some(Text::NoticeSwitchoverWaitsHint)),
        "switchover_ahead" => (Text::NoticeSwitchoverAhead, Some(Text::NoticeSwitchoverAheadHint)),
        "switchover_missed" => (Text::NoticeSwitchoverMissed, Some(Text::NoticeSwitchoverMissedHint)),
        "withdrawn_held" => (Text::NoticeWithdrawnHeld, Some(Text::NoticeWithdrawnHeldHint)),
        "switchover_behind" => (Text::NoticeSwitchoverBehind, Some(Text::NoticeSwitchoverBehindHint)),
        "signers_gone" => (Text::NoticeSignersGone, Some(Text::NoticeSignersGoneHint)),
        "config_unknown" => (Text::NoticeConfigUnknown, Some(Text::NoticeConfigUnknownHint)),
        "contract_over" => (Text::NoticeContractOver, Some(Text::NoticeContractOverHint)),
        "config_expired" => (Text::NoticeConfigExpired, Some(Text::NoticeConfigExpiredHint)),
        "accounts_left" => (Text::NoticeAccountsLeft, Some(Text::NoticeAccountsLeftHint)),
        _ => (Text::NoticeOther, None),
    }
}

/// A hint with the numbers of its notice.
fn with_numbers(lang: Lang, hint: Text, detail: &serde_json::Value, names: &Names) -> String {
    let number = |name: &str| detail.get(name).and_then(serde_json::Value::as_i64).unwrap_or_default();
    let fields = [
        "of",
        "ready",
        "heard",
        "group",
        "refused",
        "days",
        "held",
        "not_ready",
        "silent",
        "reverted",
        "degraded",
        "accounts",
    ];
    let numbers = fields.map(|name| (name, format::number(number(name))));
    let contractor = detail.get("contractor").and_then(serde_json::Value::as_str).unwrap_or_default();
    let contractor = names.company(contractor);
    let mut values: Vec<(&str, &dyn std::fmt::Display)> =
        numbers.iter().map(|(name, number)| (*name, number as &dyn std::fmt::Display)).collect();
    values.push(("contractor", &contractor));
    // A version is a number that people compare, not an amount.
    let version = number("version");
    values.push(("version", &version));
    let fingerprint = detail.get("fingerprint").and_then(serde_json::Value::as_str).unwrap_or_default();
    values.push(("fingerprint", &fingerprint));
    lang.fill(hint, &values)
}

/// Which watched folder is in trouble, and what kind of it.
fn watch_trouble(lang: Lang, detail: &serde_json::Value) -> String {
    let what = match detail.get("what").and_then(serde_json::Value::as_str) {
        Some("folder") => Text::WatchFolder,
        Some("profile") => Text::WatchProfile,
        Some("file") => Text::WatchFile,
        _ => Text::WatchStore,
    };
    let number = detail.get("watch").and_then(serde_json::Value::as_i64).unwrap_or_default();
    lang.fill(Text::NoticeWatchTroubleHint, &[("number", &number), ("what", &lang.say(what))])
}

/// A pickup that needs looking at: why, which, where, what the crew wrote, and who.
fn exception(lang: Lang, board: &Board, line: &Line) -> Markup {
    let names = &board.names;
    let (class, title) = match (line.contradictions.first(), &line.reason) {
        (Some(first), _) => ("warn", lang.say(state::contradiction(*first)).to_owned()),
        (None, Some(reason)) if line.state == State::NotCollected => ("stop", state::reason(lang, reason)),
        (None, _) => (line.state.class(), lang.say(line.state.word()).to_owned()),
    };
    let mut more: Vec<String> = Vec::new();
    if !line.contradictions.is_empty() {
        more.push(lang.fill(Text::CountedAs, &[("state", &lang.say(line.state.word()))]));
    }
    more.extend(line.part.iter().map(|part| part.words(lang)));
    if line.state == State::Partly
        && let Some(reason) = &line.reason
    {
        more.push(state::reason(lang, reason));
    }
    more.push(format!("{} {}", names.contractor(&line.contract), names.vehicle(&line.vehicle)));
    html! {
        span .time { @if let Some(at) = line.at { (format::clock_on(lang, &format::stored(at), board.date)) } }
        div {
            p .what {
                b .(class) { (title) } " "
                a .number href={ "/pickup/" (line.uid) } { (line.reception) }
                @if let Some(town) = &line.town { " " span .place { (town) } }
            }
            @if let Some(note) = &line.note { p .said { (note) } }
            p .sub { (more.join(dot(lang))) }
        }
    }
}

/// All pickups of a day that need looking at, page by page.
pub(in super::super) struct AttentionPage<'a> {
    /// The day.
    pub(in super::super) board: &'a Board,
    /// This page's pickups.
    pub(in super::super) lines: &'a [Line],
    /// Which page, from 1.
    pub(in super::super) page: u32,
    /// Whether there are more.
    pub(in super::super) more: bool,
    /// The page's address.
    pub(in super::super) address: &'a Address,
}

impl AttentionPage<'_> {
    /// The page.
    pub(in super::super) fn page(&self, view: &View<'_>) -> Markup {
        let (lang, board) = (view.lang, self.board);
        let others = board.attention.iter().filter(|item| !matches!(item, Attention::Pickup(_)));
        // In the order of the front page: where terminals contradict each other stands first.
        let decide = self.lines.iter().take_while(|line| !line.contradictions.is_empty());
        let rest = self.lines.iter().skip_while(|line| !line.contradictions.is_empty());
        html! {
            div .dayline {
                h1 { (lang.say(Text::Attention)) }
                span .asof {
                    (view.title()) (dot(lang))
                    (lang.fill(Text::Count, &[("count", &format::number(board.attention_count))]))
                }
                nav .days { a .quiet href=(view.address().with("day", &board.date.to_string())) { (view.title()) } }
            }
            section .card {
                @if board.attention_count == 0 { p .empty { (lang.say(Text::AttentionNone)) } }
                ul .items .roomy {
                    @for line in decide { li { (exception(lang, board, line)) } }
                    @if self.page == 1 { @for item in others { li { (view.attention_item(item)) } } }
                    @for line in rest { li { (exception(lang, board, line)) } }
                }
                (super::pager(lang, self.address, self.page, self.more))
            }
        }
    }
}
