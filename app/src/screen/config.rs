//! Shows how the terminal's configuration stands and what is to come: the strips above the list, and the page about it.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use meguri_core::view::{Coming, StickRead, View};
use meguri_proto::clock::business_date;
use meguri_proto::{ConfigState, ConfigWhy};
use slint::ComponentHandle;

use super::state::State;
use super::{number, words};
use meguri_screens as ui;

/// From so many days before it on, the list tells of a change.
const ANNOUNCED: i32 = 14;

/// What came into force while the screen was there, or today, until the crew has read of it.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// The change that the screen saw come, and on which day.
    seen: Option<(Timestamp, Date)>,
    /// The change that the crew has read of.
    read: Option<Timestamp>,
}

impl News {
    /// A view takes the place of another.
    pub(crate) fn note(&mut self, before: Option<&View>, view: &View) {
        let awaited = before.and_then(|before| before.config.coming.as_ref()).map(|coming| coming.at);
        let changed = view.config.changed.as_ref().map(|changed| changed.at);
        if let Some(at) = changed.filter(|_| awaited == changed) {
            self.seen = Some((at, view.today));
        }
    }

    /// The crew has read of it.
    pub(crate) fn read(&mut self, view: &View) {
        self.read = view.config.changed.as_ref().map(|changed| changed.at);
    }

    /// What there is to tell: it came today, or the screen saw it come today although it was due before, as on a
    /// terminal that was off.
    pub(crate) fn of<'a>(&self, view: &'a View) -> Option<&'a Coming> {
        let changed = view.config.changed.as_ref()?;
        let fresh = self.seen == Some((changed.at, view.today)) || business_date(changed.at) == view.today;
        (fresh && self.read != Some(changed.at)).then_some(changed)
    }
}

pub(crate) fn render(window: &ui::Tablet, state: &State, zone: &TimeZone) {
    let Some(view) = &state.view else { return };
    let global = window.global::<ui::Config>();
    let config = &view.config;
    global.set_version(if config.version == 0 { String::new() } else { config.version.to_string() }.into());
    global.set_state(config.state.map_or(ui::ConfigState::None, config_state));
    let why = config.why.as_ref();
    global.set_why(why.map_or(ui::ConfigWhy::None, |(why, _)| config_why(*why)));
    global.set_detail(why.map(|(_, detail)| detail.as_str()).unwrap_or_default().into());
    global.set_has_coming(config.coming.is_some());
    global.set_announced(config.coming.as_ref().is_some_and(|coming| announced(view.today, coming)));
    if let Some(coming) = &config.coming {
        global.set_coming(change(coming, zone));
    }
    let news = state.news();
    global.set_has_news(news.is_some());
    if let Some(news) = news {
        global.set_news(change(news, zone));
        global.set_news_today(business_date(news.at) == view.today);
    }
    let now = view.list.as_ref().map(|list| format!("{} {} {}", list.contractor, list.vehicle, list.round));
    global.set_now(now.unwrap_or_default().into());
    global.set_waiting(number(view.waiting));
    global.set_crewed(!view.crew.members.is_empty());
    let (stick, why, detail) = match &config.stick {
        None => (ui::StickState::None, None, ""),
        Some(StickRead::Taken) => (ui::StickState::Taken, None, ""),
        Some(StickRead::Held) => (ui::StickState::Held, None, ""),
        Some(StickRead::Refused(why)) => (ui::StickState::Refused, Some(*why), ""),
        Some(StickRead::NotForThis) => (ui::StickState::NotForThis, None, ""),
        Some(StickRead::Unreadable(detail)) => (ui::StickState::Unreadable, None, detail.as_str()),
    };
    global.set_stick(stick);
    global.set_stick_why(why.map_or(ui::ConfigWhy::None, config_why));
    global.set_stick_detail(detail.into());
}

/// Whether the list tells of a change on this day.
fn announced(today: Date, coming: &Coming) -> bool {
    today.until(business_date(coming.at)).is_ok_and(|span| span.get_days() <= ANNOUNCED)
}

fn change(coming: &Coming, zone: &TimeZone) -> ui::Change {
    let at = coming.at.to_zoned(zone.clone());
    ui::Change {
        date: words::calendar_day(at.date()),
        clock: format!("{}:{:02}", at.hour(), at.minute()).into(),
        name: format!("{} {}", coming.contractor, coming.vehicle).into(),
        round: coming.round.as_str().into(),
        switchover: coming.switchover,
    }
}

fn config_state(state: ConfigState) -> ui::ConfigState {
    match state {
        ConfigState::Verified => ui::ConfigState::Verified,
        ConfigState::Staged => ui::ConfigState::Staged,
        ConfigState::Activated => ui::ConfigState::Activated,
        ConfigState::Healthy => ui::ConfigState::Healthy,
        ConfigState::Degraded => ui::ConfigState::Degraded,
        ConfigState::Reverted => ui::ConfigState::Reverted,
        ConfigState::Refused => ui::ConfigState::Refused,
    }
}

fn config_why(why: ConfigWhy) -> ui::ConfigWhy {
    match why {
        ConfigWhy::TooLarge => ui::ConfigWhy::TooLarge,
        ConfigWhy::Malformed => ui::ConfigWhy::Malformed,
        ConfigWhy::OtherType => ui::ConfigWhy::OtherType,
        ConfigWhy::NoKeys => ui::ConfigWhy::NoKeys,
        ConfigWhy::TooFewSignatures => ui::ConfigWhy::TooFewSignatures,
        ConfigWhy::OtherCity => ui::ConfigWhy::OtherCity,
        ConfigWhy::OtherTerminal => ui::ConfigWhy::OtherTerminal,
        ConfigWhy::OldVersion => ui::ConfigWhy::OldVersion,
        ConfigWhy::Expired => ui::ConfigWhy::Expired,
        ConfigWhy::KeysExpired => ui::ConfigWhy::KeysExpired,
        ConfigWhy::KeysNotNext => ui::ConfigWhy::KeysNotNext,
        ConfigWhy::OutOfBounds => ui::ConfigWhy::OutOfBounds,
        ConfigWhy::BrokerRefused => ui::ConfigWhy::BrokerRefused,
        ConfigWhy::BrokerUnreachable => ui::ConfigWhy::BrokerUnreachable,
        ConfigWhy::PeripheralMissing => ui::ConfigWhy::PeripheralMissing,
    }
}
