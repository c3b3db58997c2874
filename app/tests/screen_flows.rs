//! Every flow of the tablet's screens, by the labels that people read.
//!
//! One test: an event loop can be started once in a process. Each flow has a window of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

mod fixture;

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fixture::{change, pickup, say};
use i_slint_backend_testing::ElementHandle;
use jiff::civil::{Date, date};
use meguri_app::enrol::EnrolError;
use meguri_app::office::AskError;
use meguri_app::screen::enrol::EnrolScreen;
use meguri_app::screen::fault::FaultScreen;
use meguri_app::screen::{Reply, Screen};
use meguri_app::store::StoreError;
use meguri_config::terminal::{Language, ReasonSetting, Theme};
use meguri_core::sign_in::NotSignedIn;
use meguri_core::view::{ConfigView, Crew, Intent, Link, NotRecorded, Shown, StickRead, Stop, View};
use meguri_core::{Trouble, TroubleKind};
use meguri_proto::pickup::{Contradiction, OfficeWord, Result as Outcome, State};
use meguri_proto::{ConfigState, ConfigWhy, ItemResult, Reason};
use slint::{ComponentHandle, LogicalSize};

/// A screen with a terminal behind it that answers when it is told to.
struct Sitting {
    screen: Screen,
    asked: Rc<RefCell<Vec<Intent>>>,
    reply: Rc<RefCell<Option<Reply>>>,
    confirmed: Rc<RefCell<Vec<Date>>>,
    /// Dates that the crew said instead of the one shown.
    said: Rc<RefCell<Vec<Date>>>,
}

const WIDE: (u32, u32) = (1280, 800);
const PORTRAIT: (u32, u32) = (800, 1280);
const LOW: (u32, u32) = (800, 480);

const ONE: &str = "1 江波東一丁目 12-7-304 予定";
const TWO: &str = "2 江波南二丁目 3-18 予定";

impl Sitting {
    fn new(size: (u32, u32), view: View) -> Self {
        Self::with(&fixture::look(Language::Ja, Theme::Day, size), view)
    }

    fn with(look: &meguri_app::screen::Look, view: View) -> Self {
        let (asked, reply) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(None)));
        let record = {
            let (asked, reply) = (Rc::clone(&asked), Rc::clone(&reply));
            move |intent, shown: Shown, to| {
                assert_eq!(shown.list, fixture::list_shown());
                asked.borrow_mut().push(intent);
                *reply.borrow_mut() = Some(to);
            }
        };
        let confirmed = Rc::new(RefCell::new(Vec::new()));
        let confirm_date = {
            let confirmed = Rc::clone(&confirmed);
            move |date| confirmed.borrow_mut().push(date)
        };
        let screen = Screen::new(look, record, confirm_date).unwrap();
        let said = Rc::new(RefCell::new(Vec::new()));
        let to = Rc::clone(&said);
        screen.on_set_date(move |date| to.borrow_mut().push(date));
        screen.window().show().unwrap();
        #[allow(clippy::cast_precision_loss)]
        let size = LogicalSize::new(look.size.0 as f32, look.size.1 as f32);
        screen.window().window().set_size(size);
        screen.show(Arc::new(view));
        Self { screen, asked, reply, confirmed, said }
    }

    fn of(stops: Vec<Stop>) -> Self {
        Self::new(WIDE, fixture::view(stops, Link::Up, 0))
    }

    fn show(&self, stops: Vec<Stop>) {
        self.screen.show(Arc::new(fixture::view(stops, Link::Up, 0)));
    }

    /// What is on the screen under a label; what is not visible does not count.
    fn find(&self, label: &str) -> Option<ElementHandle> {
        ElementHandle::find_by_accessible_label(self.screen.window(), label)
            .find(|element| element.computed_opacity() > 0.0 && element.size().height > 0.0)
    }

    fn sees(&self, label: &str) -> bool {
        self.find(label).is_some()
    }

    #[track_caller]
    fn must_see(&self, label: &str) {
        assert!(self.sees(label), "{label:?} is not on the screen");
    }

    /// The same of a text that begins with this.
    #[track_caller]
    fn must_see_part(&self, words: &str) {
        let found = i_slint_backend_testing::ElementQuery::from_root(self.screen.window())
            .match_predicate({
                let words = words.to_owned();
                move |element| element.accessible_label().is_some_and(|label| label.starts_with(&words))
            })
            .find_first();
        assert!(found.is_some(), "{words:?} is not on the screen");
    }

    /// Taps at once, whether the control takes it or not.
    #[track_caller]
    fn poke(&self, label: &str) {
        let Some(element) = self.find(label) else { panic!("{label:?} is not on the screen") };
        element.invoke_accessible_default_action();
    }

    /// Taps as soon as the control takes taps.
    async fn tap(&self, label: &str) {
        let live = || self.find(label).is_some_and(|element| element.accessible_enabled() != Some(false));
        until(&format!("{label:?} takes taps"), live).await;
        self.poke(label);
    }

    /// The terminal answers.
    async fn answer(&self, result: Result<(), NotRecorded>) {
        let reply = self.reply.borrow_mut().take().expect("something was asked");
        // As the terminal does: from another thread.
        std::thread::spawn(move || reply(result.map(|()| fixture::fact(7)))).join().unwrap();
        until("the answer is shown", || !self.sees("記録しています…") && !self.sees("Recording…")).await;
    }

    fn asked(&self) -> Vec<Intent> {
        self.asked.borrow().clone()
    }
}

/// Lets the event loop go on until a condition holds.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(60), "it never came to this: {what}");
        turn().await;
    }
}

/// One turn of the event loop.
async fn turn() {
    let turned = Cell::new(false);
    std::future::poll_fn(|context| {
        if turned.replace(true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

type Flow = (&'static str, fn() -> Pin<Box<dyn Future<Output = ()>>>);

macro_rules! flows {
    ($($name:ident),* $(,)?) => { vec![$((stringify!($name), (|| Box::pin($name())) as fn() -> Pin<Box<dyn Future<Output = ()>>>),)*] };
}

#[test]
fn flows() {
    i_slint_backend_testing::init_integration_test_with_system_time();
    let flows: Vec<Flow> = flows![
        shows_the_list_and_its_counts,
        collects_in_two_taps,
        a_double_tap_records_once_and_takes_nothing_back,
        refuses_with_a_reason,
        collects_a_part_with_a_reason_for_each_item,
        collects_a_part_with_one_reason_for_all_the_rest,
        ticking_nothing_leads_to_the_reasons_of_the_whole,
        another_reason_needs_a_note,
        a_reason_may_need_a_note_by_the_settings,
        takes_over_what_new_settings_say,
        takes_back_what_it_said,
        what_could_not_be_written_is_told_and_kept,
        tells_the_link_in_plain_words,
        asks_again_when_the_items_change_under_the_hand,
        a_pickup_taken_off_the_list_closes_its_page,
        a_cancelled_pickup_is_struck_and_can_be_recorded,
        contradictions_are_told,
        says_that_no_list_has_come,
        tells_trouble_and_a_doubtful_clock,
        sets_a_damaged_entry_aside_when_it_is_asked_for_twice,
        tells_why_it_cannot_start,
        the_crew_enrols_the_tablet,
        the_crew_confirms_the_date,
        the_crew_says_another_date,
        the_crew_says_the_date_before_it_can_sign_in,
        tells_of_a_coming_switchover,
        tells_of_a_switchover_once_it_has_come,
        tells_what_is_wrong_with_its_configuration,
        tells_what_came_of_a_stick,
        a_pickup_opens_over_the_list_where_there_is_no_room,
        keeps_its_place_when_the_list_changes,
        tells_about_the_terminal_and_changes_its_colours,
        the_crew_signs_in,
        the_screen_locks,
        a_lost_terminal_says_so,
        speaks_english,
    ];
    let ran = Rc::new(Cell::new(0));
    let (count, all) = (Rc::clone(&ran), flows.len());
    slint::spawn_local(async move {
        for (name, flow) in flows {
            println!("{name}");
            flow().await;
            count.set(count.get() + 1);
        }
        slint::quit_event_loop().unwrap();
    })
    .unwrap();
    slint::run_event_loop_until_quit().unwrap();
    assert_eq!(ran.get(), all);
}

async fn shows_the_list_and_its_counts() {
    let mut stops = fixture::few();
    say(&mut stops[2], Outcome::Collected, true);
    say(&mut stops[3], Outcome::NotCollected { reason: Reason::NotOut, note: None }, false);
    let items = vec![
        ItemResult { item: 0, collected: 0, reason: Some(Reason::OtherItem) },
        ItemResult { item: 1, collected: 2, reason: None },
    ];
    say(&mut stops[4], Outcome::Partly { items, note: None }, false);
    let sitting = Sitting::of(stops);
    for label in ["4月1日(水)", "残り 3", "済 2", "不可 1", ONE, TWO, "送信済み", "受付番号 4417"]
    {
        sitting.must_see(label);
    }
    assert_eq!(sitting.find("進み具合").unwrap().accessible_value().unwrap(), "2 / 6");
    sitting.tap("済 2").await;
    sitting.must_see("3 江波西一丁目 25-9 収集済");
    sitting.must_see("5 舟入本町 6-2 一部収集");
    sitting.must_see("未送信");
    sitting.tap("不可 1").await;
    sitting.must_see("4 舟入幸町 8-14-201 収集不可");
    sitting.tap("4 舟入幸町 8-14-201 収集不可").await;
    sitting.must_see("この端末 収集不可（未排出）");
}

async fn collects_in_two_taps() {
    let sitting = Sitting::of(fixture::few());
    sitting.tap(TWO).await;
    sitting.tap("収集完了").await;
    assert_eq!(sitting.asked(), [Intent::Collect { pickup: pickup(2) }]);

    // Not a word of "recorded" before the terminal has said so, even where the view is quicker.
    sitting.must_see("記録しています…");
    assert!(!sitting.sees("記録しました"));
    sitting.answer(Ok(())).await;
    sitting.must_see("記録しました");

    let mut stops = fixture::few();
    say(&mut stops[1], Outcome::Collected, true);
    sitting.show(stops);
    sitting.must_see("残り 5");
    sitting.must_see("済 1");
    assert!(!sitting.sees(TWO));
    sitting.must_see("この端末 収集済");
    // The next stop stands ready.
    let next = sitting.find("3 江波西一丁目 25-9 予定").unwrap();
    assert_eq!(next.accessible_item_selected(), Some(true));
    sitting.tap("次へ 3  江波西一丁目 25-9").await;
    sitting.must_see("2点とも収集完了");
}

async fn a_double_tap_records_once_and_takes_nothing_back() {
    let sitting = Sitting::of(fixture::few());
    sitting.tap("4点とも収集完了").await;
    sitting.poke("記録しています…");
    sitting.poke(TWO);
    assert_eq!(sitting.asked().len(), 1);
    sitting.answer(Ok(())).await;
    sitting.poke("次へ 2  江波南二丁目 3-18");
    sitting.poke("記録を取り消す");
    assert_eq!(sitting.asked().len(), 1);
    sitting.must_see("記録しました");
    // A moment later both work.
    sitting.tap("次へ 2  江波南二丁目 3-18").await;
    sitting.must_see("収集完了");
}

async fn refuses_with_a_reason() {
    let sitting = Sitting::of(fixture::few());
    sitting.tap("収集不可").await;
    sitting.must_see("収集できない理由");
    let button = sitting.find("理由を選んでください").unwrap();
    assert_eq!(button.accessible_enabled(), Some(false));
    sitting.poke("理由を選んでください");
    assert!(sitting.asked().is_empty());

    sitting.tap("納付券不足・未貼付").await;
    assert_eq!(sitting.find("納付券不足・未貼付").unwrap().accessible_checked(), Some(true));
    sitting.tap("未排出").await;
    sitting.tap("「未排出」で収集不可を記録").await;
    let refused = Intent::Refuse { pickup: pickup(1), reason: Reason::NotOut, note: None };
    assert_eq!(sitting.asked(), [refused]);
    sitting.answer(Ok(())).await;
    sitting.must_see("記録しました");
}

async fn collects_a_part_with_a_reason_for_each_item() {
    let sitting = Sitting::of(fixture::few());
    sitting.tap("椅子").await;
    sitting.tap("椅子を1点増やす").await;
    sitting.tap("冷蔵庫（170L以下）").await;
    sitting.tap("2点を収集・残り2点の理由へ").await;
    sitting.must_see("椅子 1点を収集できない理由");
    sitting.tap("数量相違").await;
    sitting.tap("次の品目へ").await;
    sitting.must_see("冷蔵庫（170L以下） 1点を収集できない理由");
    // Back and forth keeps what was said.
    sitting.tap("戻る").await;
    assert_eq!(sitting.find("数量相違").unwrap().accessible_checked(), Some(true));
    sitting.tap("次の品目へ").await;
    sitting.tap("家電リサイクル券なし").await;
    sitting.tap("2点収集・2点不可を記録").await;
    let items = vec![
        ItemResult { item: 0, collected: 1, reason: None },
        ItemResult { item: 1, collected: 1, reason: Some(Reason::OtherCount) },
        ItemResult { item: 2, collected: 0, reason: Some(Reason::NoRecyclingTicket) },
    ];
    assert_eq!(sitting.asked(), [Intent::Partly { pickup: pickup(1), items: items.clone(), note: None }]);
    sitting.answer(Ok(())).await;
    let mut stops = fixture::few();
    say(&mut stops[0], Outcome::Partly { items, note: None }, false);
    sitting.show(stops);
    for label in ["一部収集", "記録しました", "家電リサイクル券なし", "数量相違"] {
        sitting.must_see(label);
    }
}

async fn collects_a_part_with_one_reason_for_all_the_rest() {
    let sitting = Sitting::of(fixture::few());
    sitting.tap("タンス（高さ1m以上）").await;
    sitting.tap("椅子").await;
    sitting.tap("1点を収集・残り3点の理由へ").await;
    sitting.tap("残りすべて同じ理由").await;
    sitting.tap("納付券不足・未貼付").await;
    sitting.tap("1点収集・3点不可を記録").await;
    let short = Some(Reason::TicketShort);
    let items = vec![
        ItemResult { item: 0, collected: 0, reason: short },
        ItemResult { item: 1, collected: 0, reason: short },
        ItemResult { item: 2, collected: 1, reason: None },
    ];
    assert_eq!(sitting.asked(), [Intent::Partly { pickup: pickup(1), items, note: None }]);
}

async fn ticking_nothing_leads_to_the_reasons_of_the_whole() {
    let sitting = Sitting::of(fixture::few());
    sitting.tap(TWO).await;
    sitting.tap("自転車").await;
    sitting.tap("収集不可の理由へ").await;
    sitting.tap("場所不明").await;
    sitting.tap("「場所不明」で収集不可を記録").await;
    let refused = Intent::Refuse { pickup: pickup(2), reason: Reason::PlaceNotFound, note: None };
    assert_eq!(sitting.asked(), [refused]);
}

async fn another_reason_needs_a_note() {
    let sitting = Sitting::of(fixture::few());
    sitting.tap("収集不可").await;
    sitting.tap("その他").await;
    sitting.tap("メモの入力へ").await;
    sitting.must_see("「その他」のメモ");
    sitting.poke("メモを入れてください");
    assert!(sitting.asked().is_empty());
    // Blanks are none, and the button says so.
    let field = sitting.find("メモ").unwrap();
    for blanks in [" ", "　", "\n"] {
        field.set_accessible_value(blanks);
        let button = sitting.find("メモを入れてください").expect("a button that asks for a note");
        assert_eq!(button.accessible_enabled(), Some(false), "{blanks:?}");
    }
    field.set_accessible_value("");
    // Without a keyboard, and with one.
    sitting.tap("門が閉まっている").await;
    sitting.tap("事務所に連絡済み").await;
    let field = sitting.find("メモ").unwrap();
    assert_eq!(field.accessible_value().unwrap(), "門が閉まっている、事務所に連絡済み");
    field.set_accessible_value("猫が寝ている");
    // How much room is left is told before the end, and that nothing more fits.
    field.set_accessible_value("長".repeat(470));
    sitting.must_see("あと30文字");
    field.set_accessible_value("長".repeat(501));
    sitting.must_see("500文字まで入ります");
    assert_eq!(field.accessible_value().unwrap().chars().count(), 500);
    field.set_accessible_value("猫が寝ている");
    assert!(!sitting.sees("500文字まで入ります"));
    sitting.tap("「その他」で収集不可を記録").await;
    let note = Some("猫が寝ている".to_owned());
    assert_eq!(sitting.asked(), [Intent::Refuse { pickup: pickup(1), reason: Reason::Other, note }]);
}

async fn a_reason_may_need_a_note_by_the_settings() {
    let mut look = fixture::look(Language::Ja, Theme::Day, WIDE);
    look.reasons = vec![
        ReasonSetting { code: Reason::Unsafe, note: true },
        ReasonSetting { code: Reason::NotOut, note: false },
    ];
    let sitting = Sitting::with(&look, fixture::view(fixture::few(), Link::Up, 0));
    sitting.tap("収集不可").await;
    assert!(!sitting.sees("場所不明"), "a reason that the settings leave out");
    sitting.tap("重量・危険").await;
    sitting.tap("メモの入力へ").await;
    sitting.must_see("「重量・危険」のメモ");
}

async fn takes_over_what_new_settings_say() {
    let settings = |more: &str| {
        let text = format!(
            "version = 1\ncity = \"hiroshima\"\nterminal = \"t-0003\"\ncontractor = \"first\"\n\
             contract = \"first-2026\"\nvehicle = \"v-03\"\n\
             [broker]\nhost = \"127.0.0.1\"\nport = 1\nsecret_file = \"secret\"\n{more}"
        );
        Arc::new(meguri_config::Terminal::parse(std::path::Path::new("terminal.toml"), &text).unwrap())
    };
    let (to, from) = tokio::sync::watch::channel(settings(""));
    let sitting = Sitting::of(fixture::few());
    sitting.screen.follow_settings(from).unwrap();
    sitting.tap("収集不可").await;
    sitting.tap("場所不明").await;
    to.send_replace(settings(
        "[screen]\ntheme = \"night\"\n[[reason]]\ncode = \"not_out\"\n[[reason]]\ncode = \"unsafe\"\nnote = true\n",
    ));
    until("the reasons are those of the settings", || !sitting.sees("場所不明")).await;
    // What is not offered any more is not recorded.
    let button = sitting.find("理由を選んでください").unwrap();
    assert_eq!(button.accessible_enabled(), Some(false));
    sitting.tap("重量・危険").await;
    sitting.tap("メモの入力へ").await;
    assert!(sitting.screen.window().global::<meguri_screens::Theme>().get_night());
}

async fn takes_back_what_it_said() {
    let mut stops = fixture::few();
    say(&mut stops[0], Outcome::Collected, false);
    let sitting = Sitting::of(stops);
    sitting.tap("済 1").await;
    sitting.tap("1 江波東一丁目 12-7-304 収集済").await;
    sitting.tap("記録を取り消す").await;
    assert_eq!(sitting.asked(), [Intent::Undo { pickup: pickup(1) }]);
    sitting.answer(Ok(())).await;
    sitting.show(fixture::few());
    sitting.must_see("残り 6");
    sitting.must_see("済 0");
    sitting.must_see("4点とも収集完了");
    assert!(!sitting.sees("記録しました"));
}

async fn what_could_not_be_written_is_told_and_kept() {
    let sitting = Sitting::of(fixture::few());
    sitting.tap("冷蔵庫（170L以下）").await;
    sitting.tap("3点を収集・残り1点の理由へ").await;
    sitting.tap("品目相違").await;
    sitting.tap("3点収集・1点不可を記録").await;
    sitting.answer(Err(NotRecorded::Store("disk is full".into()))).await;
    let told = "記録していません。端末に書き込めません。もう一度押してください。続くときは事務所へ連絡してください。";
    sitting.must_see(told);
    sitting.must_see("disk is full");
    assert!(!sitting.sees("記録しました"));
    // The same tap again is enough.
    sitting.tap("3点収集・1点不可を記録").await;
    let asked = sitting.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0], asked[1]);
    assert!(!sitting.sees(told));
    sitting.answer(Ok(())).await;
    sitting.must_see("記録しました");
}

async fn tells_the_link_in_plain_words() {
    let sitting = Sitting::of(fixture::few());
    for (link, waiting, words) in [
        (Link::Up, 0, "送信済み"),
        (Link::Up, 2, "送信中 残り 2"),
        (Link::Joining, 0, "接続中"),
        (Link::Joining, 4, "接続中 送信待ち 4"),
        (Link::Down, 0, "圏外"),
        (Link::Down, 3, "圏外 送信待ち 3"),
        (Link::Refused("bad password".into()), 0, "接続を拒否"),
    ] {
        sitting.screen.show(Arc::new(fixture::view(fixture::few(), link, waiting)));
        sitting.must_see(words);
    }
    sitting.must_see("この端末の接続が拒否されています。事務所へ連絡してください。");
    // And nothing of it keeps the crew from recording.
    sitting.tap("4点とも収集完了").await;
    assert_eq!(sitting.asked().len(), 1);
}

async fn asks_again_when_the_items_change_under_the_hand() {
    let sitting = Sitting::of(fixture::few());
    sitting.tap("椅子").await;
    let mut stops = fixture::few();
    change(&mut stops[0], |listed| listed.items[1].count = 5);
    sitting.show(stops);
    sitting.must_see("記録していません。申込の内容が変わりました。もう一度確かめてください。");
    sitting.must_see("7点とも収集完了");
    sitting.tap("7点とも収集完了").await;
    assert_eq!(sitting.asked(), [Intent::Collect { pickup: pickup(1) }]);
    // The next change may come between the tap and its record.
    sitting.answer(Err(NotRecorded::Changed)).await;
    sitting.must_see("記録していません。申込の内容が変わりました。もう一度確かめてください。");
}

async fn a_pickup_taken_off_the_list_closes_its_page() {
    let sitting = Sitting::of(fixture::few());
    sitting.must_see("受付番号 4417");
    let mut stops = fixture::few();
    stops.remove(0);
    sitting.show(stops);
    assert!(!sitting.sees("受付番号 4417"));
    sitting.must_see("収集完了");
}

async fn a_cancelled_pickup_is_struck_and_can_be_recorded() {
    let mut stops = fixture::few();
    change(&mut stops[1], |listed| listed.office = OfficeWord::Cancelled);
    stops[1].state = State::Cancelled;
    let sitting = Sitting::of(stops);
    sitting.tap("不可・取消 1").await;
    sitting.tap("2 江波南二丁目 3-18 取消").await;
    sitting.tap("この端末で記録する").await;
    sitting.must_see("この申込は取り消されています。");
    sitting.tap("収集完了").await;
    assert_eq!(sitting.asked(), [Intent::Collect { pickup: pickup(2) }]);
}

async fn contradictions_are_told() {
    let mut stops = fixture::few();
    let refused = Outcome::NotCollected { reason: Reason::NotOut, note: None };
    say(&mut stops[0], refused, false);
    let other = fixture::statement(99, "t-0008", Outcome::Collected);
    change(&mut stops[0], |listed| listed.others = vec![other]);
    stops[0].state = State::Collected;
    stops[0].contradictions = vec![Contradiction::TerminalsDiffer];
    let sitting = Sitting::of(stops);
    sitting.tap("済 1").await;
    sitting.must_see("相違");
    sitting.tap("1 江波東一丁目 12-7-304 収集済").await;
    for label in [
        "他の端末の報告と違います。配車担当が確かめます。",
        "この端末 収集不可（未排出）",
        "端末 t-0008 収集済",
    ] {
        sitting.must_see(label);
    }
}

async fn says_that_no_list_has_come() {
    let sitting = Sitting::new(WIDE, View { list: None, ..fixture::view(vec![], Link::Down, 0) });
    sitting.must_see("今日の収集リストはまだ届いていません");
    assert!(!sitting.sees("収集不可"));
    sitting.show(fixture::few());
    sitting.must_see(ONE);
    assert!(!sitting.sees("今日の収集リストはまだ届いていません"));
}

async fn tells_trouble_and_a_doubtful_clock() {
    let view = fixture::view(fixture::few(), Link::Up, 0);
    for (kind, words) in [
        (TroubleKind::DiskFull, "端末の空き容量がなく、記録できません。"),
        (TroubleKind::ReadOnly, "端末が書き込めない状態になり、記録できません。"),
        (TroubleKind::Slow, "端末への書き込みに時間がかかっています。"),
        (TroubleKind::Unsendable, "端末の記録の一部が壊れていて、送れません。"),
        (TroubleKind::NoteLost, "メモが壊れていて、送れませんでした。"),
    ] {
        let sitting = Sitting::new(WIDE, View { trouble: Some(Trouble::new(kind, "why")), ..view.clone() });
        sitting.must_see_part(words);
    }
    let trouble = Some(Trouble::new(TroubleKind::Write, "no space left"));
    let sitting = Sitting::new(WIDE, View { trouble, clock_in_doubt: true, ..view.clone() });
    let told = [
        "端末に書き込めません。記録できないときは事務所へ連絡してください。記録済みの分は残っています。",
        "日付が未確認です。今日の日付を確かめてください。",
        "今日は 4月1日(水) で正しい",
    ];
    for label in told {
        sitting.must_see(label);
    }
    sitting.screen.show(Arc::new(view));
    for label in told {
        assert!(!sitting.sees(label));
    }
}

async fn sets_a_damaged_entry_aside_when_it_is_asked_for_twice() {
    let view = fixture::view(fixture::few(), Link::Up, 4);
    let sitting = Sitting::new(WIDE, view.clone());
    let repairs = Rc::new(Cell::new(0));
    let count = Rc::clone(&repairs);
    sitting.screen.on_repair(move || count.set(count.get() + 1));
    sitting.tap("端末").await;
    assert!(!sitting.sees("壊れた記録を別に保管する"), "nothing is damaged");
    let trouble = Some(Trouble::new(TroubleKind::Unsendable, "entry 3 is damaged"));
    sitting.screen.show(Arc::new(View { trouble, ..view }));
    // Where the finger is, a second tap takes it back.
    let across = |label: &str| {
        let element = sitting.find(label).unwrap();
        let from = element.absolute_position().x;
        (from, from + element.size().width)
    };
    let asked = across("壊れた記録を別に保管する");
    sitting.tap("壊れた記録を別に保管する").await;
    assert_eq!(across("やめる"), asked);
    assert!(across("連絡した。保管する").0 >= asked.1, "a double tap answers nothing");
    sitting.tap("やめる").await;
    sitting.tap("壊れた記録を別に保管する").await;
    assert_eq!(repairs.get(), 0, "not by one tap");
    sitting.tap("連絡した。保管する").await;
    assert_eq!(repairs.get(), 1);
}

async fn tells_why_it_cannot_start() {
    let look = |language, size| fixture::look(language, Theme::Day, size);
    let folder = std::path::Path::new("/data");
    let path = || folder.join("terminal.db");
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    let errors = [
        (
            StoreError::Damaged { path: path(), problem: "page 7".into() },
            "端末の記録が壊れていて、読めません",
            true,
        ),
        (StoreError::Folder { path: path(), source: full }, "端末の空き容量がありません", false),
        (StoreError::Open { path: path() }, "このアプリはもう動いています", false),
        (StoreError::Newer { path: path() }, "アプリが古くなっています", false),
    ];
    for size in [WIDE, PORTRAIT, LOW] {
        for (error, words, repairable) in &errors {
            let screen = FaultScreen::new(&look(Language::Ja, size), error, folder).unwrap();
            screen.window().show().unwrap();
            #[allow(clippy::cast_precision_loss)]
            screen.window().window().set_size(LogicalSize::new(size.0 as f32, size.1 as f32));
            let find = |label: &str| {
                ElementHandle::find_by_accessible_label(screen.window(), label)
                    .find(|element| element.size().height > 0.0)
            };
            assert!(find(words).is_some(), "{words}");
            assert!(find("もう一度試す").is_some(), "{words}");
            assert_eq!(find("別に保管して始める").is_some(), *repairable, "{words}");
        }
    }
    let screen = FaultScreen::new(&look(Language::Ja, WIDE), &errors[0].0, folder).unwrap();
    screen.window().show().unwrap();
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let repaired = Arc::clone(&done);
    screen.on_repair(move || {
        repaired.store(true, std::sync::atomic::Ordering::SeqCst);
        Err(StoreError::Open { path: "/elsewhere".into() })
    });
    let tap = |label: &str| {
        let found = ElementHandle::find_by_accessible_label(screen.window(), label).next();
        found.unwrap_or_else(|| panic!("{label:?} is not there")).invoke_accessible_default_action();
    };
    tap("別に保管して始める");
    assert!(!done.load(std::sync::atomic::Ordering::SeqCst), "not by one tap");
    tap("連絡した。始める");
    // Where nothing came of it, that is told.
    let told = || screen.window().get_detail().contains("/elsewhere") && !screen.window().get_busy();
    until("the failure is told", told).await;
    let english = FaultScreen::new(&look(Language::En, WIDE), &errors[0].0, folder).unwrap();
    english.window().show().unwrap();
    let words = "This terminal's records are damaged and can't be read";
    assert!(ElementHandle::find_by_accessible_label(english.window(), words).next().is_some());
}

async fn the_crew_enrols_the_tablet() {
    use std::sync::Mutex;
    type Typed = Arc<Mutex<Vec<(String, String)>>>;
    for size in [WIDE, LOW, PORTRAIT] {
        let typed: Typed = Arc::default();
        let keeping = Arc::clone(&typed);
        let screen = EnrolScreen::new(&fixture::look(Language::Ja, Theme::Day, size), move |code, office| {
            keeping.lock().unwrap().push((code.to_owned(), office.to_owned()));
            // As the terminal judges it, without a line.
            meguri_app::enrol::typed(code, Some(office))?;
            Err(EnrolError::Ask(AskError::Refused("the code is not taken".to_owned())))
        })
        .unwrap();
        screen.window().show().unwrap();
        let find = |label: &str| {
            ElementHandle::find_by_accessible_label(screen.window(), label)
                .find(|element| element.size().height > 0.0)
        };
        let must = |label: &str| find(label).unwrap_or_else(|| panic!("{label:?} is not there"));
        let tap = || must("登録する").invoke_accessible_default_action();
        tap();
        assert!(typed.lock().unwrap().is_empty(), "nothing was typed");
        must("登録コード").set_accessible_value("abcd");
        tap();
        until("the code is found wrong", || {
            find("登録コードの形が違います。4文字ずつ4組の英数字です。").is_some()
        })
        .await;
        must("登録コード").set_accessible_value("ABCD-EF01-2345-6789");
        tap();
        let missing = "事務所のアドレスを入力してください。登録コードの隣に出ています。";
        until("the address is missed", || find(missing).is_some()).await;
        must("事務所のアドレス").set_accessible_value("https://office.example:8651");
        tap();
        let refused = "この登録コードは使えません。期限切れか、もう使われています。事務所に新しいコードを頼んでください。";
        until("the refusal is told", || find(refused).is_some()).await;
        let last = typed.lock().unwrap().last().cloned();
        assert_eq!(last, Some(("ABCD-EF01-2345-6789".into(), "https://office.example:8651".into())));
        // What was typed stays, to be mended.
        assert_eq!(must("登録コード").accessible_value().as_deref(), Some("ABCD-EF01-2345-6789"));
    }
}

async fn the_crew_confirms_the_date() {
    for (size, least) in [(WIDE, 64.0), (PORTRAIT, 64.0), (LOW, 56.0)] {
        let view = fixture::view(fixture::few(), Link::Down, 0);
        let sitting = Sitting::new(size, View { clock_in_doubt: true, ..view.clone() });
        let button = "今日は 4月1日(水) で正しい";
        until("the button has its place", || {
            sitting.find(button).is_some_and(|button| button.size().height >= least)
        })
        .await;
        sitting.tap(button).await;
        assert_eq!(*sitting.confirmed.borrow(), [date(2026, 4, 1)]);
        assert!(sitting.asked().is_empty(), "it is no record");
        // A second tap of the same finger asks for nothing and opens no row that has come under it.
        sitting.poke(button);
        assert_eq!(sitting.confirmed.borrow().len(), 1);
        sitting.must_see(button);
        sitting.screen.show(Arc::new(view));
        assert!(!sitting.sees(button), "the terminal has taken it");
        sitting.poke(TWO);
        assert_eq!(sitting.find(TWO).unwrap().accessible_item_selected(), Some(false));
        sitting.tap(TWO).await;
        until("the stop is open", || sitting.sees("収集完了")).await;
    }
}

fn in_doubt() -> View {
    View { clock_in_doubt: true, link: Link::Down, ..fixture::before_a_switchover() }
}

async fn the_crew_says_another_date() {
    for (size, least) in [(WIDE, 64.0), (PORTRAIT, 64.0), (LOW, 56.0)] {
        let sitting = Sitting::new(size, View { earliest: date(2026, 3, 30), ..in_doubt() });
        sitting.tap("別の日").await;
        sitting.must_see("今日は何日ですか");
        let takes = |label: &str| sitting.find(label).unwrap().accessible_enabled() != Some(false);
        assert!(!takes("日付を選んでください"), "nothing is chosen");
        assert!(!takes("前へ"), "there is no day before the earliest");
        until("every day is large enough", || {
            ["4月1日(水) 表示中", "4月12日(日)"].iter().all(|day| {
                sitting.find(day).is_some_and(|day| day.size().width >= least && day.size().height >= least)
            })
        })
        .await;

        // A day away: said once.
        sitting.tap("4月2日(木)").await;
        assert_eq!(sitting.find("4月2日(木)").unwrap().accessible_checked(), Some(true));
        sitting.tap("今日は 4月2日(木) にする").await;
        assert_eq!(*sitting.said.borrow(), [date(2026, 4, 2)]);
        assert!(!sitting.sees("今日は何日ですか"));

        // Further away, and into another contract: what that does is told, and a second tap answers nothing.
        sitting.tap("別の日").await;
        sitting.tap("4月12日(日)").await;
        sitting.tap("今日は 4月12日(日) にする").await;
        sitting.must_see("4月12日(日) は、表示中の 4月1日(水) の 11日あとです。");
        sitting.must_see(
            "端末は 第二収集 12号車 に切り替わり、いまの業者のリストとメモが消えます。元には戻せません。",
        );
        sitting.poke("はい、今日は 4月12日(日) です");
        assert_eq!(sitting.said.borrow().len(), 1);
        // Back to the days, and once more.
        sitting.tap("やめる").await;
        sitting.must_see("今日は何日ですか");
        sitting.tap("今日は 4月12日(日) にする").await;
        sitting.tap("はい、今日は 4月12日(日) です").await;
        assert_eq!(*sitting.said.borrow(), [date(2026, 4, 2), date(2026, 4, 12)]);

        // The date shown is confirmed, as on the strip.
        sitting.tap("別の日").await;
        sitting.tap("4月1日(水) 表示中").await;
        sitting.tap("今日は 4月1日(水) にする").await;
        assert_eq!(*sitting.confirmed.borrow(), [date(2026, 4, 1)]);
        // Weeks further on, without a contract to come: it may change all the same.
        sitting.screen.show(Arc::new(View { config: ConfigView::default(), ..in_doubt() }));
        sitting.tap("別の日").await;
        sitting.tap("次へ").await;
        sitting.tap("5月6日(水)").await;
        sitting.tap("今日は 5月6日(水) にする").await;
        sitting.must_see("業者が切り替わり、リストとメモが消えることがあります。元には戻せません。");
        // The office is quicker.
        sitting.screen.show(Arc::new(fixture::day()));
        assert!(!sitting.sees("この日付でよろしいですか"));
        assert_eq!(sitting.said.borrow().len(), 2);
        assert!(sitting.asked().is_empty(), "a date is no record");
    }
}

async fn the_crew_says_the_date_before_it_can_sign_in() {
    for size in [WIDE, PORTRAIT, LOW] {
        let asks = |date_needed| {
            let config = ConfigView { date_needed, ..fixture::before_a_switchover().config };
            View { clock_in_doubt: true, config, ..fixture::locked() }
        };
        let sitting = Sitting::new(size, asks(false));
        // On the list under the page it is further down.
        let above = |label: &str| {
            let mut strips = ElementHandle::find_by_accessible_label(sitting.screen.window(), label);
            strips.any(|strip| strip.absolute_position().y < 60.0 && strip.size().height > 0.0)
        };
        let words = "業者切替の日かもしれません。今日の日付が違うときは、サインインして直してください。";
        assert!(!above(words));
        sitting.screen.show(Arc::new(asks(true)));
        until("the date is asked for", || above(words)).await;
        let sign_in = sitting.find("サインイン").unwrap();
        until("everything has its place", || {
            let bottom = sign_in.absolute_position().y + sign_in.size().height;
            #[allow(clippy::cast_precision_loss)]
            let height = size.1 as f32;
            bottom <= height
        })
        .await;
        assert!(!sitting.sees("別の日"), "another date is for the crew alone to say");
        sitting.must_see("乗務員のサインイン");
        let said =
            ElementHandle::find_by_accessible_label(sitting.screen.window(), "今日は 4月1日(水) で正しい")
                .find(|button| button.absolute_position().y < 150.0 && button.size().height > 0.0);
        said.unwrap().invoke_accessible_default_action();
        assert_eq!(*sitting.confirmed.borrow(), [date(2026, 4, 1)]);
        assert!(sitting.said.borrow().is_empty());
    }
}

async fn tells_of_a_coming_switchover() {
    let told = "4月8日 0:00から 第二収集 12号車";
    for (size, least) in [(WIDE, 64.0), (PORTRAIT, 64.0), (LOW, 56.0)] {
        let sitting = Sitting::new(size, fixture::before_a_switchover());
        until("it is told", || sitting.find(told).is_some_and(|strip| strip.size().height >= least)).await;
        sitting.tap(told).await;
        for label in [
            "設定と業者切替",
            "4月8日 0:00から",
            "第二収集 12号車",
            "中区Bコース",
            "第一収集 3号車 中区Aコース",
            "いまの業者のリストとメモ。切り替わると、この端末から消えます。",
            "3件。送り終わるまで消えません。切り替わったあとでも送ります。",
        ] {
            sitting.must_see(label);
        }
        if size != LOW {
            // Further down, where a low window is scrolled.
            sitting.must_see("12");
            sitting.must_see("切替の日時を待っています");
        }
        sitting.tap("閉じる").await;
        assert!(!sitting.sees("設定と業者切替"));
        // Nothing of it keeps the crew from working.
        sitting.tap("42 江波東一丁目 12-7-304 予定").await;
        sitting.tap("4点とも収集完了").await;
        assert_eq!(sitting.asked().len(), 1);
    }
    // From 14 days before on.
    let at = |instant: &str| {
        let coming = Some(fixture::coming(instant));
        View { config: ConfigView { coming, ..ConfigView::default() }, ..fixture::day() }
    };
    let sitting = Sitting::new(WIDE, at("2026-04-15T15:00:00Z"));
    assert!(!sitting.sees("4月16日 0:00から 第二収集 12号車"));
    sitting.screen.show(Arc::new(at("2026-04-14T15:00:00Z")));
    sitting.must_see("4月15日 0:00から 第二収集 12号車");
    // Where the contractor stays, nothing goes.
    let mut stays = fixture::before_a_switchover();
    stays.config.coming.as_mut().unwrap().switchover = false;
    sitting.screen.show(Arc::new(stays));
    sitting.tap("端末").await;
    sitting.tap("設定と業者切替").await;
    sitting.must_see("ありません。業者は替わりません。");
}

async fn tells_of_a_switchover_once_it_has_come() {
    let changed = Some(fixture::coming("2026-03-31T15:00:00Z"));
    let config =
        ConfigView { version: 12, state: Some(ConfigState::Healthy), changed, ..ConfigView::default() };
    for size in [WIDE, PORTRAIT, LOW] {
        let sitting = Sitting::new(size, View { config: config.clone(), ..fixture::day() });
        sitting.must_see("きょうから 第二収集 12号車 です");
        sitting.tap("きょうから 第二収集 12号車 です").await;
        assert!(!sitting.sees("きょうから 第二収集 12号車 です"));
        sitting.screen.show(Arc::new(View { config: config.clone(), ..fixture::day() }));
        assert!(!sitting.sees("きょうから 第二収集 12号車 です"), "it is told once");
        // The new crew sees it before it signs in.
        let sitting = Sitting::new(size, View { config: config.clone(), ..fixture::locked() });
        sitting.must_see("きょうから 第二収集 12号車 です");
    }
}

async fn tells_what_is_wrong_with_its_configuration() {
    let view = |state, why| {
        let why = Some((why, "for who looks after it".to_owned()));
        let config = ConfigView { version: 12, state: Some(state), why, ..ConfigView::default() };
        View { config, ..fixture::day() }
    };
    let sitting = Sitting::new(WIDE, fixture::day());
    assert!(sitting.sees("端末") && !sitting.sees("端末 要確認"));
    let whys = [
        (ConfigState::Healthy, ConfigWhy::TooLarge, "届いた設定が大きすぎて、読みませんでした。"),
        (ConfigState::Healthy, ConfigWhy::Malformed, "届いた設定が壊れていて、読めません。"),
        (ConfigState::Healthy, ConfigWhy::OtherType, "届いたものは、端末の設定ではありません。"),
        (ConfigState::Healthy, ConfigWhy::NoKeys, "設定を確かめる鍵を、この端末はまだ持っていません。"),
        (ConfigState::Healthy, ConfigWhy::TooFewSignatures, "届いた設定に、必要な署名がそろっていません。"),
        (ConfigState::Healthy, ConfigWhy::OtherCity, "届いた設定は、別の市のものです。"),
        (ConfigState::Healthy, ConfigWhy::OtherTerminal, "届いた設定は、別の端末のものです。"),
        (
            ConfigState::Healthy,
            ConfigWhy::OldVersion,
            "届いた設定は、前に受け取ったものより新しくありません。",
        ),
        (ConfigState::Healthy, ConfigWhy::Expired, "届いた設定は、受け取りの期限が過ぎています。"),
        (ConfigState::Healthy, ConfigWhy::KeysExpired, "設定を確かめる鍵の期限が過ぎています。"),
        (ConfigState::Healthy, ConfigWhy::KeysNotNext, "届いた鍵は、いまの鍵の続きではありません。"),
        (ConfigState::Healthy, ConfigWhy::OutOfBounds, "届いた設定の内容に誤りがあります。"),
        (
            ConfigState::Reverted,
            ConfigWhy::BrokerRefused,
            "新しい接続先に断られたので、前の接続先に戻しました。",
        ),
        (
            ConfigState::Reverted,
            ConfigWhy::BrokerUnreachable,
            "新しい接続先につながらないので、前の接続先に戻しました。",
        ),
        (ConfigState::Degraded, ConfigWhy::PeripheralMissing, "この車両に付くはずの機器が見つかりません。"),
    ];
    for (state, why, words) in whys {
        sitting.screen.show(Arc::new(view(state, why)));
        sitting.tap("端末 要確認").await;
        sitting.tap("設定と業者切替").await;
        sitting.must_see(words);
        sitting.must_see("for who looks after it");
        sitting.must_see(match state {
            ConfigState::Reverted => "使えますが、接続先は前のままです",
            ConfigState::Degraded => "使えますが、機器が足りません",
            _ => "正常",
        });
        // Whom to tell.
        let tells = |words: &'static str| {
            i_slint_backend_testing::ElementQuery::from_root(sitting.screen.window())
                .match_predicate(move |element| {
                    element.accessible_label().is_some_and(|label| label.contains(words))
                })
                .find_first()
                .is_some()
        };
        assert!(tells("配車担当"), "{why:?}");
        sitting.tap("閉じる").await;
    }
}

async fn tells_what_came_of_a_stick() {
    let view = |stick| View { config: ConfigView { stick, ..ConfigView::default() }, ..fixture::day() };
    let sitting = Sitting::new(WIDE, view(None));
    for (stick, words) in [
        (StickRead::Taken, "USBメモリの設定を受け取りました。抜いてください。"),
        (StickRead::Held, "USBメモリの設定はもう入っています。抜いてください。"),
        (
            StickRead::Refused(ConfigWhy::OtherTerminal),
            "USBメモリの設定を受け取れません。届いた設定は、別の端末のものです。",
        ),
        (StickRead::NotForThis, "USBメモリにこの端末の設定がありません。"),
        (StickRead::Unreadable("input/output error".into()), "USBメモリを読めません。"),
    ] {
        sitting.screen.show(Arc::new(view(Some(stick))));
        sitting.must_see(words);
        sitting.screen.show(Arc::new(view(None)));
        assert!(!sitting.sees(words), "the stick is out");
    }
}

async fn a_pickup_opens_over_the_list_where_there_is_no_room() {
    let sitting = Sitting::new(PORTRAIT, fixture::view(fixture::few(), Link::Up, 0));
    until("the list alone", || sitting.sees(TWO) && !sitting.sees("収集不可")).await;
    sitting.tap(TWO).await;
    sitting.must_see("収集完了");
    sitting.tap("一覧へ").await;
    assert!(!sitting.sees("収集完了"));
    sitting.tap(TWO).await;
    sitting.tap("収集完了").await;
    sitting.answer(Ok(())).await;
    let mut stops = fixture::few();
    say(&mut stops[1], Outcome::Collected, false);
    sitting.show(stops);
    sitting.must_see("記録しました");
    sitting.tap("一覧へ").await;
    let next = sitting.find("3 江波西一丁目 25-9 予定").unwrap();
    assert_eq!(next.accessible_item_selected(), Some(true));
}

async fn keeps_its_place_when_the_list_changes() {
    let stops = |without: u32| {
        let mut stops: Vec<Stop> = fixture::day().list.unwrap().stops.drain(41..).collect();
        stops.retain(|stop| stop.listed.order != without);
        stops
    };
    let sitting = Sitting::of(stops(0));
    sitting.tap("42 江波東一丁目 12-7-304 予定").await;
    let row = |order: u32| {
        let all = i_slint_backend_testing::ElementQuery::from_root(sitting.screen.window())
            .match_accessible_role(i_slint_backend_testing::AccessibleRole::ListItem)
            .find_all();
        let start = format!("{order} ");
        all.into_iter().find(|row| row.accessible_label().is_some_and(|label| label.starts_with(&start)))
    };
    let list = row(42).unwrap();
    list.scroll(0.0, -960.0);
    let place = || row(56).map(|row| row.absolute_position().y);
    until("the list has scrolled", || place().is_some_and(|y| (0.0..800.0).contains(&y))).await;
    let before = place().unwrap();
    // One far below goes, another is recorded: the rows under the finger stay.
    let mut later = stops(100);
    let at = later.iter().position(|stop| stop.listed.order == 90).unwrap();
    say(&mut later[at], Outcome::Collected, false);
    sitting.show(later);
    turn().await;
    assert_eq!(place(), Some(before));
}

async fn tells_about_the_terminal_and_changes_its_colours() {
    let sitting = Sitting::of(fixture::few());
    sitting.tap("端末").await;
    for label in ["この端末", "t-0003", "#MadeWithSlint", "この画面は Slint で作られています。"]
    {
        sitting.must_see(label);
    }
    sitting.tap("夜の画面にする").await;
    sitting.tap("昼の画面にする").await;
    sitting.must_see("夜の画面にする");
    sitting.tap("閉じる").await;
    sitting.must_see("4点とも収集完了");
}

/// Sign-ins that were asked for, each with the answer that is still to be given.
type SignIns = Rc<RefCell<Vec<(String, String, meguri_app::screen::SignInReply)>>>;

fn signing(sitting: &Sitting) -> SignIns {
    let asked = SignIns::default();
    let to = Rc::clone(&asked);
    sitting.screen.on_sign_in(move |member, pin, reply| {
        to.borrow_mut().push((member.to_string(), pin, reply));
    });
    asked
}

async fn the_crew_signs_in() {
    for size in [WIDE, LOW, PORTRAIT] {
        let sitting = Sitting::new(size, fixture::locked());
        let asked = signing(&sitting);
        sitting.must_see("乗務員のサインイン");
        let takes = |label: &str| sitting.find(label).unwrap().accessible_enabled() != Some(false);
        assert!(!takes("7") && !takes("サインイン"), "nobody is chosen");
        sitting.tap("乗務員 乙").await;
        for digit in ["2", "7", "3", "9", "4", "0"] {
            assert!(!takes("サインイン"));
            sitting.tap(digit).await;
        }
        sitting.tap("1文字消す").await;
        assert!(!takes("サインイン"));
        sitting.tap("1").await;
        sitting.must_see("暗証番号 6桁");
        sitting.tap("サインイン").await;
        let (member, pin, reply) = asked.borrow_mut().pop().unwrap();
        assert_eq!((member.as_str(), pin.as_str()), ("c-012", "273941"));
        sitting.must_see("確かめています…");
        reply(Err(NotSignedIn::Wrong));
        until("it is told", || sitting.sees("暗証番号が違います。")).await;
        sitting.must_see("暗証番号 0桁");
        for _ in 0..6 {
            sitting.tap("5").await;
        }
        sitting.tap("サインイン").await;
        let (.., reply) = asked.borrow_mut().pop().unwrap();
        reply(Err(NotSignedIn::Wait(Duration::from_millis(300))));
        until("it has to wait", || !takes("5")).await;
        until("the wait is over", || takes("5")).await;
        // The view says that somebody has signed in.
        sitting.screen.show(Arc::new(fixture::day()));
        turn().await;
        assert!(!sitting.sees("乗務員のサインイン"));
    }
}

async fn the_screen_locks() {
    let signed_in = || View {
        crew: Crew { locked: false, signed_in: Some("c-012".parse().unwrap()), ..fixture::locked().crew },
        ..fixture::day()
    };
    let locks = Rc::new(Cell::new(0));
    let lock_after = Duration::from_millis(400);
    let look = meguri_app::screen::Look { lock_after, ..fixture::look(Language::Ja, Theme::Day, WIDE) };
    let sitting = Sitting::with(&look, signed_in());
    let count = Rc::clone(&locks);
    sitting.screen.on_lock(move || count.set(count.get() + 1));
    sitting.tap("端末").await;
    sitting.must_see("乗務員 乙");
    sitting.tap("画面をロックする").await;
    assert_eq!(locks.get(), 1);
    sitting.screen.show(Arc::new(View {
        list: None,
        crew: Crew { locked: true, ..signed_in().crew },
        ..fixture::day()
    }));
    turn().await;
    // Most often the same one goes on: only the PIN is asked for.
    sitting.must_see("乗務員のサインイン");
    assert!(sitting.find("7").unwrap().accessible_enabled() != Some(false));
    sitting.screen.show(Arc::new(signed_in()));
    until("it locks by itself", || locks.get() == 2).await;
}

async fn a_lost_terminal_says_so() {
    for size in [WIDE, LOW, PORTRAIT] {
        let sitting = Sitting::new(size, View { list: None, erased: true, ..fixture::day() });
        let enrols = Rc::new(Cell::new(false));
        let asked = Rc::clone(&enrols);
        sitting.screen.on_enrol(move || asked.set(true));
        sitting.must_see("この端末の中身は消去されました");
        sitting.must_see("端末名 t-0003");
        sitting.tap("登録し直す").await;
        assert!(enrols.get());
    }
}

async fn speaks_english() {
    let look = fixture::look(Language::En, Theme::Day, WIDE);
    let sitting = Sitting::with(&look, fixture::view(fixture::few(), Link::Down, 3));
    for label in ["Wed 4/1", "Left 6", "Done 0", "No line, 3 unsent", "All 4 collected", "No. 4417"] {
        sitting.must_see(label);
    }
    sitting.must_see("1 江波東一丁目 12-7-304 To do");
    sitting.tap("Not collected").await;
    sitting.tap("Access blocked").await;
    sitting.tap("Record not collected: Access blocked").await;
    let refused = Intent::Refuse { pickup: pickup(1), reason: Reason::AccessBlocked, note: None };
    assert_eq!(sitting.asked(), [refused]);
    sitting.answer(Ok(())).await;
    sitting.must_see("Recorded");
    let sitting = Sitting::with(&look, View { clock_in_doubt: true, ..fixture::before_a_switchover() });
    sitting.tap("From 4/8 0:00: 第二収集 12号車").await;
    sitting
        .must_see("The present contractor's lists and notes. They go from this terminal at the switchover.");
    sitting.tap("Another").await;
    sitting.must_see("What is the date today?");
    sitting.tap("Sun 4/12").await;
    sitting.tap("Say that today is Sun 4/12").await;
    sitting.must_see("Yes, today is Sun 4/12");
}
