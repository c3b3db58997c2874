//! The life of a configuration, rule by rule.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bench;
mod signed;

use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use meguri_core::kept::Kept;
use meguri_core::view::{ConfigView, Intent, Link, NotRecorded, Shown, StickRead};
use meguri_core::{Event, StickSeen, Why};
use meguri_proto::{ConfigChange, ConfigState, ConfigWhy, DayList, Fact, FactBody, Message};

use bench::{Bench, document, first, list_document};
use signed::{at, bundle, chain, configuration, envelope, first_set, midnight, scale, second_set, stick};

use ConfigState::{Activated, Degraded, Healthy, Refused, Reverted, Staged, Verified};

const OLD: &str = "naka-2026";
const NEW: &str = "naka-2027";

fn own() -> meguri_config::Terminal {
    meguri_config::Terminal::parse("terminal.toml".as_ref(), bench::SETTINGS).unwrap()
}

/// A schedule of the contract of now and the one from midnight of 1 April on.
fn april(version: u64) -> meguri_config::Bundle {
    let schedule = vec![configuration(&own(), None, OLD), configuration(&own(), Some(midnight()), NEW)];
    bundle(&own(), version, schedule)
}

fn list_of(contract: &str, day: jiff::civil::Date) -> DayList {
    DayList { contract: contract.parse().unwrap(), date: day, ..bench::list() }
}

impl Bench {
    /// Connected and answered at a time that the device shows, too.
    fn at(time: &str) -> Self {
        let mut bench = Self::start(Kept::default(), Vec::new(), std::time::Duration::ZERO, at(time));
        bench.office = at(time);
        bench.join();
        bench
    }

    /// The same with the city's keys.
    fn trusting(time: &str) -> Self {
        let mut bench = Self::at(time);
        bench.down("keys", document(1, &chain(&[first_set()])));
        bench
    }

    /// The same with the schedule of 1 April.
    fn staged(time: &str) -> Self {
        let mut bench = Self::trusting(time);
        bench.offer(1, &april(5));
        bench
    }

    fn offer(&mut self, document_version: u64, bundle: &meguri_config::Bundle) {
        self.down("config", document(document_version, &envelope(bundle, &[3, 4])));
    }

    fn time(&self) -> Timestamp {
        self.office + SignedDuration::try_from(self.boot).unwrap()
    }

    /// Time passes until then, with every wake in between.
    fn until(&mut self, time: Timestamp) {
        while self.time() < time {
            let left = time.duration_since(self.time()).as_secs_f64();
            let wake = self.wake.saturating_sub(self.boot).as_secs_f64();
            self.wait(wake.clamp(0.001, left));
        }
    }

    /// Time passes until it connects again.
    fn await_turn(&mut self) {
        let connects = self.connects;
        for _ in 0..100 {
            if self.connects > connects {
                return;
            }
            self.wait(1.0);
        }
        panic!("it does not connect");
    }

    fn import(&mut self, bundle: &meguri_config::Bundle) {
        let stick = stick(&[first_set()], &envelope(bundle, &[3, 4]));
        self.step(Event::Import(1, Box::new(stick)));
    }

    /// The digest by which the last hello names a document.
    fn named(&self, name: &str) -> Option<meguri_proto::Digest> {
        let documents = &self.hellos.last().unwrap().documents;
        documents.iter().find(|held| held.name.to_string() == name).map(|held| held.digest)
    }

    fn lose(&mut self) {
        self.step(Event::Disconnected(Why::Lost("no coverage".to_owned())));
    }

    /// A new start of the program on a device that was started anew as well, `passed` later by the right clock.
    fn rebooted(self, passed: SignedDuration) -> Self {
        let (office, device) = (self.time() + passed, self.device + passed);
        let mut bench = Self::start(self.kept, self.bodies, std::time::Duration::ZERO, device);
        bench.office = office;
        bench
    }

    fn changes(&self) -> Vec<ConfigChange> {
        let bodies = self.bodies.iter().map(|body| FactBody::decode(body.as_bytes()).unwrap().fact);
        bodies
            .filter_map(|fact| match fact {
                Fact::Config(change) => Some(change),
                _ => None,
            })
            .collect()
    }

    fn states(&self) -> Vec<ConfigState> {
        self.changes().iter().map(|change| change.state).collect()
    }

    fn config(&self) -> ConfigView {
        self.core.view().config
    }

    fn contract(&self) -> String {
        self.core.status().config.contract.to_string()
    }

    fn last(&self) -> FactBody {
        FactBody::decode(self.bodies.last().unwrap().as_bytes()).unwrap()
    }
}

#[test]
fn a_schedule_is_staged_and_comes_into_force_by_itself_without_a_line() {
    let mut bench = Bench::staged("2026-03-20T00:00:00Z");
    assert_eq!(bench.states(), [Verified, Staged, Activated, Healthy]);
    let staged = &bench.changes()[1];
    assert_eq!(staged.effective_at, Some(midnight()));
    assert_eq!(staged.contract.as_ref().unwrap().as_str(), NEW);
    bench.wait(2.0);
    let hello = bench.hellos.last().unwrap();
    assert_eq!(hello.config, 5);
    let named = |name: &str| hello.documents.iter().any(|held| held.name.to_string() == name);
    assert!(named("keys") && named("config"));
    let coming = bench.config().coming.unwrap();
    assert_eq!((coming.at, coming.switchover), (midnight(), true));
    bench.lose();
    bench.until(midnight() - SignedDuration::from_millis(10));
    assert_eq!(bench.contract(), OLD);
    bench.until(midnight());
    assert_eq!(bench.contract(), NEW);
    assert_eq!(bench.states().last(), Some(&Activated));
    let fact = bench.last();
    assert_eq!((fact.contract.as_str(), fact.config), (NEW, 5));
    let view = bench.config();
    assert_eq!((view.version, view.state, view.coming), (5, Some(Activated), None));
    assert!(view.changed.unwrap().switchover);
    bench.join();
    assert_eq!(bench.states().last(), Some(&Healthy));
    assert_eq!(bench.core.status().config.state, Some(Healthy));
}

#[test]
fn what_is_confirmed_a_minute_before_midnight_is_the_old_contracts_and_nothing_after_it() {
    let mut bench = Bench::staged("2026-03-31T14:00:00Z");
    let old = list_of(OLD, date(2026, 3, 31));
    bench.down("list/naka-2026/2026-03-31", list_document(1, &old));
    bench.down("list/naka-2027/2026-04-01", list_document(1, &list_of(NEW, date(2026, 4, 1))));
    bench.until(midnight() - SignedDuration::from_secs(60));
    let shown = bench.stop();
    bench.collect();
    assert_eq!(bench.last().contract.as_str(), OLD);
    // A tap that comes at the very instant, of the list that is still on the screen.
    let late = midnight().duration_since(bench.time());
    bench.boot += std::time::Duration::try_from(late).unwrap();
    let list = meguri_proto::ListRef { date: date(2026, 3, 31), version: 1 };
    let shown = Shown { list, listed: shown.listed };
    let said = bench.say_of(Intent::Undo { pickup: first() }, Some(shown));
    assert_eq!(said, Err(NotRecorded::Changed));
    assert_eq!(bench.contract(), NEW);
    let view = bench.core.view();
    assert_eq!(view.list.unwrap().date, date(2026, 4, 1));
    let lists: Vec<_> = bench.kept.documents.keys().map(ToString::to_string).collect();
    assert!(!lists.iter().any(|name| name.starts_with("list/naka-2026")), "{lists:?}");
    bench.refuse();
    assert_eq!(bench.last().contract.as_str(), NEW);
    // Belated, a list of the contract that is over.
    bench.down("list/naka-2026/2026-03-31", list_document(2, &old));
    assert_eq!(bench.kept.documents.keys().filter(|name| name.to_string().starts_with("list/")).count(), 1);
}

#[test]
fn in_doubt_nothing_changes_over_early_and_the_crew_is_asked() {
    let bench = Bench::staged("2026-03-31T08:00:00Z");
    // A clock that runs half a day ahead, on a device that was started anew without coverage.
    let mut bench = bench.rebooted(SignedDuration::ZERO);
    bench.device += SignedDuration::from_hours(12);
    let mut bench = Bench::start(bench.kept, bench.bodies, std::time::Duration::ZERO, bench.device);
    bench.office = at("2026-03-31T08:00:00Z");
    assert_eq!(bench.core.view().today, date(2026, 4, 1), "by the clock");
    for _ in 0..40 {
        bench.wait(3_600.0);
        assert_eq!(bench.contract(), OLD, "never early");
        assert!(bench.config().date_needed, "the crew is asked");
    }
    // The crew says which day it is: first that it is not yet, then that it is.
    let bench = bench.rebooted(SignedDuration::ZERO);
    let mut bench =
        Bench::start(bench.kept, bench.bodies, std::time::Duration::ZERO, at("2015-01-01T00:00:00Z"));
    bench.wait(61.0);
    assert!(bench.config().date_needed, "a dead clock asks as well");
    bench.step(Event::SetDate(date(2026, 3, 31)));
    assert!(!bench.config().date_needed && bench.contract() == OLD);
    bench.step(Event::SetDate(date(2026, 4, 1)));
    assert_eq!((bench.contract().as_str(), bench.config().date_needed), (NEW, false));
    // And the next start does not go back, whatever the clock shows.
    let mut bench =
        Bench::start(bench.kept, bench.bodies, std::time::Duration::ZERO, at("2015-01-01T00:00:00Z"));
    assert_eq!(bench.contract(), NEW);
    bench.offer(2, &april(6));
    assert_eq!((bench.contract().as_str(), bench.config().version), (NEW, 6));
}

#[test]
fn the_date_that_is_shown_is_confirmed_and_midnight_comes_at_once() {
    let bench = Bench::staged("2026-03-31T08:00:00Z");
    let mut bench = bench.rebooted(SignedDuration::from_hours(14));
    assert_eq!(bench.contract(), OLD);
    assert!(bench.config().date_needed);
    bench.confirm(1);
    assert_eq!(bench.contract(), NEW);
}

#[test]
fn the_office_outweighs_the_crew() {
    let bench = Bench::staged("2026-03-30T08:00:00Z");
    let mut bench = bench.rebooted(SignedDuration::from_hours(1));
    bench.join();
    bench.step(Event::SetDate(date(2026, 4, 1)));
    assert_eq!((bench.contract().as_str(), bench.core.view().today), (OLD, date(2026, 3, 30)));
    // In doubt it is believed, within bounds.
    let mut bench = bench.rebooted(SignedDuration::from_hours(1));
    for out in [date(2026, 3, 29), date(2027, 5, 5)] {
        bench.step(Event::SetDate(out));
        assert!(bench.core.view().clock_in_doubt && bench.contract() == OLD, "{out}");
    }
    bench.step(Event::SetDate(date(2026, 4, 2)));
    assert_eq!(bench.contract(), NEW);
    // The office says that it was too early: time is right again, and the contract is what it became.
    bench.join();
    bench.answer_hello(|_| {});
    assert_eq!(bench.core.view().today, date(2026, 3, 30));
    assert_eq!(bench.contract(), NEW, "what is erased does not come back");
}

#[test]
fn what_is_refused_is_told_once_and_named_by_every_hello() {
    let mut bench = Bench::trusting("2026-03-20T00:00:00Z");
    bench.down("config", document(3, &envelope(&april(5), &[3])));
    assert_eq!(bench.states(), [Refused]);
    assert_eq!(bench.changes()[0].why, Some(ConfigWhy::TooFewSignatures));
    assert_eq!(bench.changes()[0].version, 5);
    for version in 4..7 {
        bench.down("config", document(version, &envelope(&april(5), &[3])));
    }
    let mut bench = bench.rebooted(SignedDuration::from_hours(1));
    bench.join();
    let held = bench.hellos.last().unwrap().documents.iter().find(|held| held.name.to_string() == "config");
    assert_eq!(held.unwrap().version, 6);
    assert_eq!(bench.states(), [Refused], "once");
    assert_eq!((bench.contract().as_str(), bench.config().version), (OLD, 0));
    assert_eq!(bench.config().why.unwrap().0, ConfigWhy::TooFewSignatures);
    // One that is signed as it should be takes its place.
    bench.offer(7, &april(5));
    assert_eq!(bench.states(), [Refused, Verified, Staged, Activated, Healthy]);
    assert_eq!(bench.config().why, None);
    // An older one, and another one of the same version.
    bench.offer(8, &april(4));
    let mut other = april(5);
    other.schedule.pop();
    bench.offer(9, &other);
    let whys: Vec<_> = bench.changes().iter().filter_map(|change| change.why).collect();
    assert_eq!(whys, [ConfigWhy::TooFewSignatures, ConfigWhy::OldVersion, ConfigWhy::OldVersion]);
    assert_eq!(bench.config().coming.unwrap().at, midnight());
}

#[test]
fn what_came_before_its_keys_is_judged_again_when_they_come() {
    let mut bench = Bench::at("2026-03-20T00:00:00Z");
    bench.down("config", document(1, &envelope(&april(5), &[5, 6])));
    assert_eq!(bench.states(), [], "keys may be on their way");
    bench.wait(601.0);
    assert_eq!(bench.changes()[0].why, Some(ConfigWhy::NoKeys));
    bench.wait(601.0);
    bench.down("keys", document(1, &chain(&[first_set()])));
    assert_eq!(bench.changes()[1].why, Some(ConfigWhy::TooFewSignatures), "not by these keys");
    bench.down("keys", document(2, &chain(&[first_set(), second_set()])));
    assert_eq!(bench.states()[2..], [Verified, Staged, Activated, Healthy]);
    // Rotated out, the old ones sign nothing more.
    bench.offer(2, &april(6));
    assert_eq!(bench.states().last(), Some(&Refused));
    // A chain that does not follow changes nothing, and is told.
    let strange = signed::sign(
        meguri_config::keys::KEYS_TYPE,
        &serde_json::to_vec(&signed::set(3, &[7, 8], &[7, 8])).unwrap(),
        &[7, 8],
    );
    bench.down("keys", document(3, &chain(&[first_set(), second_set(), strange])));
    assert_eq!(bench.changes().last().unwrap().why, Some(ConfigWhy::TooFewSignatures));
    assert_eq!(bench.core.status().config.keys, 2);
}

#[test]
fn expiry_counts_when_a_bundle_comes_and_never_when_it_is_due() {
    // Off from March to the summer, long after the bundle could be accepted.
    let bench = Bench::staged("2026-03-20T00:00:00Z");
    let mut bench = bench.rebooted(SignedDuration::from_hours(24 * 120));
    assert_eq!(bench.contract(), OLD, "in doubt");
    bench.join();
    assert_eq!(bench.contract(), OLD, "one answer does not bring what can't be undone");
    bench.wait(1.0);
    bench.answer_hello(|_| {});
    assert_eq!(bench.contract(), NEW);
    // One that comes too late.
    let mut bench = Bench::trusting("2026-06-02T00:00:00Z");
    bench.offer(1, &april(5));
    assert_eq!(bench.changes()[0].why, Some(ConfigWhy::Expired));
    assert_eq!(bench.contract(), OLD);
}

#[test]
fn what_a_wrong_clock_refused_as_expired_is_judged_again_once_time_is_sure() {
    let bench = Bench::trusting("2026-03-20T00:00:00Z");
    let mut bench = Bench::start(
        Kept { time: None, ..bench.kept },
        bench.bodies,
        std::time::Duration::ZERO,
        at("2027-01-01T00:00:00Z"),
    );
    bench.office = at("2026-03-20T01:00:00Z");
    bench.offer(1, &april(5));
    assert_eq!(bench.changes()[0].why, Some(ConfigWhy::Expired));
    bench.join();
    assert_eq!(bench.states(), [Refused, Verified, Staged, Activated, Healthy]);
}

#[test]
fn a_correction_in_march_does_not_displace_the_first_of_april() {
    let mut bench = Bench::staged("2026-03-20T00:00:00Z");
    let mut corrected = april(6);
    corrected.schedule[0].round = "中区2コース".to_owned();
    corrected.schedule[0].retention.list_days = 3;
    bench.offer(2, &corrected);
    assert_eq!(bench.states()[4..], [Verified, Staged, Activated, Healthy]);
    assert_eq!((bench.config().version, bench.contract().as_str()), (6, OLD));
    assert_eq!(bench.config().coming.unwrap().at, midnight());
    bench.lose();
    bench.until(midnight());
    assert_eq!(bench.contract(), NEW);
}

#[test]
fn a_newer_schedule_withdraws_what_was_to_come_and_what_came_ahead_of_it() {
    let mut bench = Bench::staged("2026-03-20T00:00:00Z");
    bench.down("list/naka-2027/2026-04-01", list_document(1, &list_of(NEW, date(2026, 4, 1))));
    bench.down("crew/naka-2027", document(1, CREW.trim()));
    assert_eq!(bench.kept.documents.len(), 4);
    bench.offer(2, &bundle(&own(), 6, vec![configuration(&own(), None, OLD)]));
    assert_eq!(bench.config().coming, None);
    assert_eq!(bench.kept.documents.len(), 2, "nothing of a contract that does not come");
    bench.until(midnight() + SignedDuration::from_hours(1));
    assert_eq!(bench.contract(), OLD);
}

#[test]
fn a_bundle_whose_first_configuration_has_an_instant_leaves_what_is_in_force() {
    let mut bench = Bench::trusting("2026-03-20T00:00:00Z");
    let from = at("2026-03-25T15:00:00Z");
    let mut later = configuration(&own(), Some(from), OLD);
    later.round = "別コース".to_owned();
    bench.offer(1, &bundle(&own(), 2, vec![later, configuration(&own(), Some(midnight()), NEW)]));
    assert_eq!(bench.states(), [Verified, Staged, Staged]);
    assert_eq!(bench.config().version, 0);
    let coming = bench.config().coming.unwrap();
    assert_eq!((coming.at, coming.switchover), (from, false));
    // Off over both instants: the last one counts.
    let mut bench = bench.rebooted(SignedDuration::from_hours(24 * 30));
    bench.join();
    bench.wait(1.0);
    bench.answer_hello(|_| {});
    assert_eq!(bench.contract(), NEW);
    assert_eq!(bench.states()[3..], [Activated, Healthy]);
}

#[test]
fn a_full_disk_at_midnight_leaves_the_old_settings_until_it_can_write() {
    let mut bench = Bench::staged("2026-03-31T14:00:00Z");
    bench.lose();
    bench.until(midnight() - SignedDuration::from_secs(1));
    bench.full = true;
    bench.until(midnight() + SignedDuration::from_mins(10));
    assert_eq!(bench.contract(), OLD);
    assert_eq!(bench.states().len(), 4, "no word of what is not done");
    bench.full = false;
    bench.until(midnight() + SignedDuration::from_mins(11));
    assert_eq!(bench.contract(), NEW);
    assert_eq!(bench.states()[4..], [Activated]);
}

/// A schedule whose new contract comes with another broker.
fn moved() -> meguri_config::Bundle {
    let mut bundle = april(5);
    bundle.schedule[1].broker.host = "new.example".to_owned();
    bundle
}

#[test]
fn a_broker_that_refuses_again_and_again_is_left_and_the_contract_stays_the_new_one() {
    let mut bench = Bench::trusting("2026-03-31T14:00:00Z");
    bench.offer(1, &moved());
    bench.until(midnight());
    assert_eq!((bench.contract().as_str(), bench.broker.as_str()), (NEW, "new.example"));
    assert_eq!(bench.core.view().link, Link::Joining);
    for refusals in 1..=3 {
        assert_eq!(bench.broker, "new.example");
        bench.step(Event::Disconnected(Why::Refused("NotAuthorized".to_owned())));
        bench.await_turn();
        assert_eq!(bench.broker, "localhost");
        let reverted = bench.config().state == Some(Reverted);
        assert_eq!(reverted, refusals == 3, "said once it may be a mistake: {refusals}");
        if !reverted {
            bench.join();
            bench.await_turn();
        }
    }
    let change = bench.changes().pop().unwrap();
    assert_eq!((change.state, change.why), (Reverted, Some(ConfigWhy::BrokerRefused)));
    assert_eq!((change.contract.unwrap().as_str(), change.detail.as_str()), (NEW, "NotAuthorized"));
    bench.join();
    assert_eq!(bench.core.view().link, Link::Up);
    assert_eq!(bench.config().state, Some(Reverted));
    // Also after a restart, and until a newer bundle names another address.
    let mut bench = bench.rebooted(SignedDuration::from_hours(1));
    assert_eq!((bench.broker.as_str(), bench.contract().as_str()), ("localhost", NEW));
    bench.join();
    bench.offer(2, &bundle(&own(), 6, vec![configuration(&own(), None, NEW)]));
    assert_eq!(bench.config().state, Some(Healthy));
}

#[test]
fn an_address_at_which_nobody_answers_is_left_where_the_office_answers_at_the_one_before() {
    let mut bench = Bench::trusting("2026-03-31T14:00:00Z");
    bench.offer(1, &moved());
    bench.until(midnight());
    let mut tried = Vec::new();
    let from = bench.boot;
    for _ in 0..200 {
        if bench.config().state == Some(Reverted) {
            break;
        }
        tried.push(bench.broker.clone());
        match bench.broker.as_str() {
            "localhost" => bench.join(),
            _ => bench.lose(),
        }
        let connects = bench.connects;
        for _ in 0..50 {
            if bench.connects == connects && bench.config().state != Some(Reverted) {
                bench.wait(1.0);
            }
        }
    }
    let change = bench.changes().pop().unwrap();
    assert_eq!((change.state, change.why), (Reverted, Some(ConfigWhy::BrokerUnreachable)));
    let lasted = (bench.boot - from).as_secs();
    assert!((900..1_100).contains(&lasted), "for the time of a trial: {lasted} s");
    assert!(tried.iter().filter(|host| *host == "new.example").count() >= 3, "{tried:?}");
    assert_eq!(tried[..4], ["new.example", "localhost", "new.example", "localhost"]);
    bench.wait(1.0);
    assert_eq!((bench.core.view().link, bench.contract().as_str()), (Link::Up, NEW));
}

#[test]
fn an_address_that_was_left_counts_again_where_the_one_before_has_gone() {
    let mut bench = Bench::trusting("2026-03-31T14:00:00Z");
    bench.offer(1, &moved());
    bench.until(midnight());
    for _ in 0..3 {
        bench.step(Event::Disconnected(Why::Refused("server busy".to_owned())));
        bench.await_turn();
        bench.join();
        if bench.config().state != Some(Reverted) {
            bench.await_turn();
        }
    }
    assert_eq!((bench.broker.as_str(), bench.config().state), ("localhost", Some(Reverted)));
    // Without coverage for a while it stays where the office answered.
    bench.lose();
    bench.await_turn();
    bench.wait(600.0);
    bench.lose();
    bench.await_turn();
    assert_eq!(bench.broker, "localhost");
    bench.join();
    bench.wait(1_000.0);
    bench.lose();
    // The one before is switched off: after a restart as well both have their turns.
    let mut bench = bench.rebooted(SignedDuration::from_hours(1));
    assert_eq!(bench.broker, "localhost");
    let (from, mut hosts) = (bench.boot, std::collections::BTreeSet::new());
    while (bench.boot - from).as_secs() < 850 {
        assert_eq!(bench.broker, "localhost", "not for a tunnel");
        bench.lose();
        bench.await_turn();
    }
    for _ in 0..10 {
        bench.lose();
        bench.await_turn();
        hosts.insert(bench.broker.clone());
    }
    assert_eq!(hosts.len(), 2, "{hosts:?}");
    while bench.broker != "new.example" {
        bench.lose();
        bench.await_turn();
    }
    assert_eq!(bench.config().state, Some(Reverted));
    bench.join();
    let change = bench.changes().pop().unwrap();
    assert_eq!((change.state, change.why), (Healthy, None));
    bench.lose();
    bench.await_turn();
    assert_eq!(bench.broker, "new.example", "the one before is not used any more");
}

#[test]
fn without_coverage_nothing_is_decided_and_the_new_address_counts_once_it_answers() {
    let mut bench = Bench::trusting("2026-03-31T14:00:00Z");
    bench.offer(1, &moved());
    bench.until(midnight());
    let mut hosts = std::collections::BTreeSet::new();
    for _ in 0..100 {
        hosts.insert(bench.broker.clone());
        bench.lose();
        bench.wait(31.0);
    }
    assert_eq!(hosts.len(), 2, "both have their turns");
    assert_eq!(bench.states().last(), Some(&Activated), "silence is no refusal");
    // Coverage is back when it is the turn of the one before: tries without any say nothing, and the new one has its turn.
    while bench.broker != "localhost" {
        bench.lose();
        bench.wait(31.0);
    }
    bench.join();
    bench.wait(29.0);
    assert_eq!((bench.states().last(), bench.broker.as_str()), (Some(&Activated), "localhost"));
    bench.wait(2.0);
    assert_eq!(bench.broker, "new.example");
    let mut bench = bench.rebooted(SignedDuration::from_hours(1));
    assert_eq!(bench.broker, "new.example");
    bench.join();
    assert_eq!(bench.states().last(), Some(&Healthy));
    bench.lose();
    bench.wait(31.0);
    assert_eq!(bench.broker, "new.example", "the one before is not used any more");
}

#[test]
fn a_missing_peripheral_degrades_and_nothing_more() {
    let mut bench = Bench::trusting("2026-03-20T00:00:00Z");
    let mut with_scale = april(5);
    with_scale.schedule[0].peripheral = vec![scale("/dev/scale")];
    bench.missing = vec!["scale at /dev/scale: not found".to_owned()];
    bench.offer(1, &with_scale);
    assert_eq!(bench.states().last(), Some(&Activated), "nobody has looked yet");
    bench.wait(0.1);
    let change = bench.changes().pop().unwrap();
    assert_eq!((change.state, change.why), (Degraded, Some(ConfigWhy::PeripheralMissing)));
    assert!(change.detail.contains("/dev/scale"));
    let told = bench.states().len();
    bench.wait(61.0);
    let mut bench = bench.rebooted(SignedDuration::from_mins(1));
    bench.missing = vec!["scale at /dev/scale: not found".to_owned()];
    bench.wait(61.0);
    bench.join();
    assert_eq!(bench.config().state, Some(Degraded));
    bench.missing.clear();
    bench.wait(61.0);
    assert_eq!(bench.states()[told..], [Healthy], "told once, and again when it is there");
}

const CREW: &str = include_str!("../../../proto/tests/golden/crew-list.json");
/// The same with one member who has another name.
fn other_crew() -> String {
    CREW.trim().replace("c-012", "d-012").replace("c-013", "d-013")
}

#[test]
fn the_new_crew_signs_in_and_the_former_one_can_not() {
    let mut bench = Bench::staged("2026-03-31T14:00:00Z");
    bench.down("crew", document(1, CREW.trim()));
    bench.down("crew/naka-2027", document(1, &other_crew()));
    bench.down("list/naka-2027/2026-04-01", list_document(1, &list_of(NEW, date(2026, 4, 1))));
    let member: meguri_proto::CrewId = "c-012".parse().unwrap();
    bench.step(Event::SignIn(1, member.clone()));
    let (number, who) = bench.pins.pop().unwrap();
    bench.step(Event::PinChecked(number, who, Some(Default::default())));
    assert_eq!(bench.core.view().crew.signed_in, Some(member.clone()));
    // Another PIN is being looked at when midnight comes.
    bench.step(Event::SignIn(2, member.clone()));
    let (number, who) = bench.pins.pop().unwrap();
    bench.until(midnight());
    bench.step(Event::PinChecked(number, who, Some(Default::default())));
    let view = bench.core.view();
    assert_eq!((view.crew.locked, view.crew.signed_in.is_none(), view.list), (true, true, None));
    assert!(!view.crew.members.iter().any(|(id, _)| *id == member), "{:?}", view.crew.members);
    bench.step(Event::SignIn(3, member));
    assert_eq!(bench.signed_in.len(), 3);
    assert!(bench.signed_in[0].is_ok() && bench.signed_in[1].is_err() && bench.signed_in[2].is_err());
    assert!(!bench.kept.documents.keys().any(|name| name.to_string() == "crew/naka-2027"));
}

#[test]
fn a_stick_brings_what_the_line_would_and_never_the_first_keys() {
    let mut bench = Bench::at("2026-03-20T00:00:00Z");
    let found = |sets: &[String], text: &str| Event::Stick(StickSeen::Found(Box::new(stick(sets, text))));
    let good = envelope(&april(5), &[3, 4]);
    bench.step(found(&[first_set()], &good));
    assert_eq!(bench.config().stick, Some(StickRead::Refused(ConfigWhy::NoKeys)));
    assert_eq!(bench.core.status().config.keys, 0);
    bench.step(Event::KeysFile(chain(&[first_set()])));
    assert_eq!(bench.core.status().config.keys, 1);
    bench.step(found(&[first_set()], &good));
    assert_eq!(bench.config().stick, Some(StickRead::Taken));
    bench.step(found(&[first_set()], &good));
    assert_eq!(bench.config().stick, Some(StickRead::Held));
    // Over the line comes the same one: nothing is told of it.
    let states = bench.states();
    bench.offer(1, &april(5));
    assert_eq!(bench.states(), states);
    // A follow-up of the keys is taken from a stick, and by hand as well.
    let next = stick(&[first_set(), second_set()], &envelope(&april(6), &[5, 6]));
    bench.step(Event::Import(9, Box::new(next)));
    assert_eq!(bench.imported, [StickRead::Taken]);
    assert_eq!((bench.core.status().config.keys, bench.config().version), (2, 6));
    bench.step(Event::Stick(StickSeen::Gone));
    assert_eq!(bench.config().stick, None);
    bench.full = true;
    bench.step(found(&[], &envelope(&april(7), &[5, 6])));
    assert!(matches!(bench.config().stick, Some(StickRead::Unreadable(_))), "{:?}", bench.config().stick);
    assert_eq!(bench.config().version, 6);
}

#[test]
fn a_lost_terminal_takes_nothing_and_goes_on_when_it_is_found() {
    let mut bench = Bench::staged("2026-03-31T14:00:00Z");
    bench.down("erasure", document(1, r#"{"v":1}"#));
    let states = bench.states();
    bench.offer(2, &april(6));
    bench.step(Event::Stick(StickSeen::Found(Box::new(stick(&[], &envelope(&april(7), &[3, 4]))))));
    bench.until(midnight() + SignedDuration::from_hours(1));
    assert_eq!((bench.states(), bench.contract().as_str()), (states, OLD));
    bench.down("erasure", document(2, "null"));
    bench.wait(1.0);
    assert_eq!(bench.contract(), NEW);
}

#[test]
fn bundles_for_others_are_refused_by_their_reason() {
    let why = |change: &dyn Fn(&mut meguri_config::Bundle)| {
        let mut bench = Bench::trusting("2026-03-20T00:00:00Z");
        let mut bundle = april(5);
        change(&mut bundle);
        bench.offer(1, &bundle);
        assert_eq!(bench.contract(), OLD);
        bench.changes().pop().unwrap().why
    };
    assert_eq!(why(&|bundle| bundle.terminal = "t-0002".parse().unwrap()), Some(ConfigWhy::OtherTerminal));
    assert_eq!(why(&|bundle| bundle.city = "kure".parse().unwrap()), Some(ConfigWhy::OtherCity));
    assert_eq!(why(&|bundle| bundle.schedule.reverse()), Some(ConfigWhy::OutOfBounds));
}

/// A crew that is not signed in, on a terminal that is not sure of the date.
fn locked_in_doubt() -> Bench {
    let mut bench = Bench::staged("2026-03-31T08:00:00Z");
    bench.down("crew", document(1, CREW.trim()));
    let bench = bench.rebooted(SignedDuration::from_hours(1));
    assert!(bench.core.view().crew.locked && bench.in_doubt());
    bench
}

#[test]
fn another_date_than_the_one_shown_is_for_the_crew_alone_to_say() {
    let mut bench = locked_in_doubt();
    bench.step(Event::SetDate(date(2026, 4, 2)));
    assert!(bench.in_doubt() && bench.contract() == OLD, "anybody could have said it");
    let member: meguri_proto::CrewId = "c-012".parse().unwrap();
    bench.step(Event::SignIn(1, member));
    let (number, who) = bench.pins.pop().unwrap();
    bench.step(Event::PinChecked(number, who, Some(Default::default())));
    bench.step(Event::SetDate(date(2026, 4, 2)));
    assert_eq!((bench.in_doubt(), bench.contract().as_str()), (false, NEW));
    // That the date shown is right can be said before, as whoever may sign in depends on it.
    let mut bench = locked_in_doubt();
    bench.step(Event::ConfirmDate(date(2026, 3, 31)));
    assert!(!bench.in_doubt());
}

#[test]
fn a_list_that_came_ahead_comes_anew_for_a_crew_that_has_changed() {
    let list = "list/naka-2027/2026-04-01";
    let mut bench = Bench::staged("2026-03-31T08:00:00Z");
    bench.down("crew/naka-2027", document(1, CREW.trim()));
    bench.down(list, list_document(1, &list_of(NEW, date(2026, 4, 1))));
    bench.wait(400.0);
    let digest = bench.named(list).unwrap();
    assert_ne!(digest, meguri_proto::Digest::ZERO);
    bench.down("crew/naka-2027", document(2, CREW.trim()));
    bench.wait(400.0);
    assert_eq!(bench.named(list), Some(digest), "the same crew");
    bench.answer_hello(|_| {});
    let said = bench.hellos.len();
    bench.down("crew/naka-2027", document(3, &other_crew()));
    bench.wait(1.0);
    assert!(bench.hellos.len() > said, "at once");
    assert_eq!(bench.named(list), Some(meguri_proto::Digest::ZERO));
    bench.down(list, list_document(2, &list_of(NEW, date(2026, 4, 1))));
    bench.wait(400.0);
    assert_eq!(bench.named(list), Some(digest), "sealed to them");
}

#[test]
fn a_refused_stick_keeps_no_document_of_the_office_waiting() {
    // A clock that is ahead, before the office has told the time.
    let mut bench =
        Bench::start(Kept::default(), Vec::new(), std::time::Duration::ZERO, at("2027-03-20T00:00:00Z"));
    bench.office = at("2026-03-20T00:00:00Z");
    bench.step(Event::Connected);
    bench.down("keys", document(1, &chain(&[first_set()])));
    bench.offer(1, &april(5));
    assert_eq!(bench.config().why.unwrap().0, ConfigWhy::Expired);
    let mut other = april(4);
    other.terminal = "t-0002".parse().unwrap();
    bench.import(&other);
    assert_eq!(bench.imported, [StickRead::Refused(ConfigWhy::OtherTerminal)]);
    bench.answer_hello(|_| {});
    assert_eq!(bench.core.status().config.held, 5);
}

#[test]
fn a_document_that_a_stick_has_outrun_is_not_judged_again() {
    let mut bench = Bench::staged("2026-03-20T00:00:00Z");
    bench.lose();
    bench.import(&april(6));
    assert_eq!(bench.imported, [StickRead::Taken]);
    let states = bench.states();
    for _ in 0..3 {
        bench.wait(400.0);
    }
    assert_eq!((bench.states(), bench.config().why), (states, None));
    // What was refused since is forgotten once the one that is held is confirmed.
    bench.import(&april(4));
    assert_eq!(bench.config().why.unwrap().0, ConfigWhy::OldVersion);
    bench.offer(2, &april(6));
    assert_eq!(bench.config().why, None);
}

#[test]
fn what_expired_is_told_and_written_once() {
    let mut bench = Bench::trusting("2026-03-20T00:00:00Z");
    let mut over = april(5);
    over.expires = at("2026-03-01T00:00:00Z");
    bench.offer(1, &over);
    let refused = bench.kept.config.refused.clone();
    for _ in 0..3 {
        bench.wait(400.0);
    }
    assert_eq!(bench.kept.config.refused, refused);
    assert_eq!(bench.states(), [Refused]);
}

#[test]
fn one_answer_of_an_office_whose_clock_is_wrong_ends_no_contract() {
    let mut bench = Bench::staged("2026-03-20T00:00:00Z");
    let answer = |bench: &mut Bench, office: &str| {
        bench.office = at(office);
        bench.wait(400.0);
        bench.answer_hello(|_| {});
    };
    answer(&mut bench, "2026-04-02T00:00:00Z");
    answer(&mut bench, "2026-03-20T00:00:00Z");
    assert_eq!((bench.core.view().today, bench.contract().as_str()), (date(2026, 3, 20), OLD));
    answer(&mut bench, "2026-04-02T00:00:00Z");
    answer(&mut bench, "2026-04-02T00:00:00Z");
    assert_eq!((bench.core.view().today, bench.contract().as_str()), (date(2026, 4, 2), NEW));
}

#[test]
fn a_transition_that_was_not_written_keeps_no_lost_terminal_awake() {
    let mut bench = Bench::staged("2026-03-31T14:59:50Z");
    bench.full = true;
    bench.until(midnight() + SignedDuration::from_millis(10));
    bench.full = false;
    bench.down("erasure", document(1, r#"{"v":1}"#));
    bench.wait(30.0);
    for _ in 0..3 {
        bench.step(Event::Tick);
        assert!(bench.core.view().erased && bench.wake > bench.boot, "{:?} at {:?}", bench.wake, bench.boot);
    }
}

#[test]
fn a_contract_that_returns_leaves_nothing_behind_meanwhile() {
    let mut bench = Bench::trusting("2026-03-31T14:00:00Z");
    let may = at("2026-04-30T15:00:00Z");
    let schedule = vec![
        configuration(&own(), None, OLD),
        configuration(&own(), Some(midnight()), NEW),
        configuration(&own(), Some(may), OLD),
    ];
    bench.offer(1, &bundle(&own(), 5, schedule));
    bench.down("list/naka-2026/2026-03-31", list_document(1, &list_of(OLD, date(2026, 3, 31))));
    bench.until(midnight());
    let names: Vec<_> = bench.kept.documents.keys().map(ToString::to_string).collect();
    assert_eq!((bench.contract().as_str(), names), (NEW, vec!["keys".to_owned(), "config".to_owned()]));
    // What comes of it from here on is of the time when it is there again.
    bench.down("list/naka-2026/2026-05-01", list_document(1, &list_of(OLD, date(2026, 5, 1))));
    assert_eq!(bench.kept.documents.len(), 3);
}

#[test]
fn keys_beside_the_settings_that_disagree_are_told() {
    let mut bench = Bench::at("2026-03-20T00:00:00Z");
    let set = serde_json::to_vec(&signed::set(1, &[11, 12], &[13, 14])).unwrap();
    bench.down("keys", document(1, &chain(&[signed::sign(meguri_config::keys::KEYS_TYPE, &set, &[11, 12])])));
    bench.step(Event::KeysFile(chain(&[first_set()])));
    assert_eq!(bench.changes().pop().unwrap().why, Some(ConfigWhy::KeysNotNext));
}
