//! When the life of a configuration goes on: documents and sticks that bring one, instants that come, lines that do or don't,
//! things that are pulled out.
//!
//! Every change is one commit, its fact among it, and holds once that is on the disk; one that fails is tried again. What is
//! due goes before whatever else waits, so that nothing of the contract before is taken after its end.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use meguri_config::Terminal;
use meguri_config::bundle::Connection;
use meguri_config::stick::Stick;
use meguri_config::terminal::seconds;
use meguri_proto::{
    ConfigChange, ConfigWhy, Digest, Document, DocumentName, Fact, FactBody, LogKind, Message,
};

use crate::config::{Judging, KeptConfig, LineState, Seen, Taken, key_chain, own_connection};
use crate::core::{Core, Purpose};
use crate::documents::safe;
use crate::event::{Effect, StickSeen, Telling, Why};
use crate::kept::{Contents, Held, NewEntry, Op};
use crate::line::Line;
use crate::moment::Now;
use crate::retry::Retry;
use crate::sign_in::SignIn;
use crate::status::{ComingStatus, ConfigStatus};
use crate::view::{ConfigView, StickRead};

/// After a transition could not be written it is tried again.
const WRITE_AGAIN: Duration = Duration::from_secs(10);
/// What was refused, or came before its keys, is judged once more after so long.
const JUDGE_AGAIN: Duration = Duration::from_secs(600);
/// So often a new address is tried, or its broker refuses, before the one before is gone back to.
const TRIES: u32 = 3;
/// How long after its start a terminal in doubt waits for the office's time before it asks the crew for the date.
const OFFICE_FIRST: Duration = Duration::from_secs(60);

/// What is known of configurations beside what is kept.
#[derive(Debug)]
pub(crate) struct Changing {
    /// The terminal's own file.
    pub(crate) own: Terminal,
    /// The broker that was last connected to.
    using: Connection,
    /// How often the address on trial was tried in vain while the one before answered in between, and since when.
    tries: u32,
    silent_since: Option<Duration>,
    /// How often in this trial its broker did not let the terminal in.
    refusals: u32,
    /// Whether it is the turn of the address before.
    by_before: bool,
    /// Since when nobody answers at the address that was gone back to.
    before_silent_since: Option<Duration>,
    /// When the address on trial has its turn again, while the line stands by the one before.
    turn_at: Option<Duration>,
    /// That the address on trial does not do, and why.
    failed: Option<(ConfigWhy, String)>,
    /// What was not plugged in at the last look; none before there was one since the configuration is in force.
    missing: Option<Option<String>>,
    looking: bool,
    next_look: Duration,
    /// A transition that could not be written waits until then.
    write_at: Option<Duration>,
    /// What was refused is to be judged once more.
    judge_again: bool,
    judge_at: Duration,
    was_sure: bool,
    /// When the crew may be asked for the date.
    pub(crate) ask_at: Duration,
    stick: Option<StickRead>,
}

impl Changing {
    pub(crate) fn new(own: Terminal, kept: &KeptConfig, boot: Duration) -> Self {
        Self {
            using: own_connection(&own),
            own,
            tries: 0,
            silent_since: None,
            refusals: 0,
            by_before: kept.line() == Some(LineState::Reverted),
            before_silent_since: None,
            turn_at: None,
            failed: None,
            missing: None,
            looking: false,
            next_look: boot,
            write_at: None,
            judge_again: false,
            judge_at: boot + JUDGE_AGAIN,
            was_sure: false,
            ask_at: boot + OFFICE_FIRST,
            stick: None,
        }
    }
}

impl Core {
    /// How the configuration stands.
    pub(crate) fn view_config(&self) -> ConfigView {
        let coming = !self.kept.config.coming().is_empty() && !self.kept.erased();
        let begun = || {
            let now = self.time.now(self.now);
            self.kept.config.coming().iter().any(|next| next.from.is_some_and(|from| from <= now))
        };
        let doubt = self.time.sure(self.now).is_none();
        let date_needed = coming && doubt && (begun() || self.now >= self.changing.ask_at);
        ConfigView { date_needed, stick: self.changing.stick.clone(), ..self.kept.config.view() }
    }

    /// The same for those who look after terminals.
    pub(crate) fn config_status(&self) -> ConfigStatus {
        let (config, terminal) = (&self.kept.config, &self.settings.terminal);
        let view = self.view_config();
        let Connection { host, port, .. } = &self.changing.using;
        let coming = config.coming().iter().map(|next| ComingStatus {
            from: next.from,
            contract: next.contract.clone(),
            vehicle: next.vehicle.clone(),
        });
        ConfigStatus {
            version: view.version,
            contract: terminal.contract.clone(),
            vehicle: terminal.vehicle.clone(),
            state: view.state,
            why: view.why.as_ref().map(|(why, _)| *why),
            detail: view.why.map(|(_, detail)| detail),
            held: config.held.as_ref().map_or(0, |held| held.bundle.version),
            keys: config.keys.as_ref().map_or(0, |keys| keys.version),
            broker: format!("{host}:{port}"),
            coming: coming.collect(),
            date_needed: view.date_needed,
        }
    }

    /// Begins the transition that is due, if one is. To be called while no commit is under way, before anything else is done.
    pub(crate) fn change_over(&mut self, now: &mut Now, out: &mut Vec<Effect>) {
        let sure = self.time.sure(now.boot).is_some();
        self.changing.judge_again |= sure && !self.changing.was_sure && self.kept.config.keys.is_some();
        self.changing.was_sure = sure;
        if now.boot >= self.changing.judge_at {
            (self.changing.judge_again, self.changing.judge_at) = (true, now.boot + JUDGE_AGAIN);
        }
        if self.kept.erased() {
            // Nothing waits any more; once it is found, all of it is looked at anew.
            self.changing.write_at = None;
            return;
        }
        if self.changing.write_at.is_some_and(|at| now.boot < at) {
            return;
        }
        self.changing.write_at = None;
        let again =
            std::mem::take(&mut self.changing.judge_again).then(|| self.document_to_judge()).flatten();
        let again = again
            .filter(|(digest, body)| self.kept.config.may_take(*digest, body.as_bytes()))
            .map(|(_, body)| body);
        let next = again.and_then(|body| {
            let mut next = self.kept.config.clone();
            let (_, changes) = next.take_bundle(body.as_bytes(), self.judging(now));
            (next != self.kept.config).then_some((next, changes))
        });
        let config = &self.kept.config;
        let next = next
            .or_else(|| Some(config.activated(config.due(self.certain(now))?, &self.changing.own)))
            .or_else(|| config.seen(&self.seen()));
        if let Some((next, changes)) = next {
            let ops = self.config_ops(next, changes, now);
            self.begin(ops, Purpose::Config, now, out);
        }
    }

    /// The document `config`, where it was not taken: it was refused, or came before there were any keys.
    fn document_to_judge(&self) -> Option<(Digest, Arc<str>)> {
        let held = self.kept.documents.get(&DocumentName::Config)?;
        let taken = self.kept.config.held.as_ref().is_some_and(|taken| taken.digest == held.digest);
        match &held.contents {
            Contents::Signed(body) if !taken => Some((held.digest, Arc::clone(body))),
            _ => None,
        }
    }

    fn judging(&self, now: &Now) -> Judging<'_> {
        Judging { own: &self.changing.own, now: self.time.now(now.boot), certain: self.certain(now) }
    }

    /// What is surely over: the time that is sure, and in doubt what once was.
    fn certain(&self, now: &Now) -> Option<Timestamp> {
        self.time.sure(now.boot).or(self.time.floor())
    }

    fn seen(&self) -> Seen {
        let answered = matches!(&self.line, Line::Open(session) if session.answered);
        let by_before = self.kept.config.line() != Some(LineState::Proven) && self.changing.by_before;
        Seen {
            answers: answered && !by_before,
            failed: self.changing.failed.clone(),
            missing: self.changing.missing.clone(),
        }
    }

    /// What makes `next` the configurations kept, with the facts of it.
    fn config_ops(&self, next: KeptConfig, changes: Vec<ConfigChange>, now: &mut Now) -> Vec<Op> {
        let settings = next.onto(&self.changing.own);
        let (mut seq, mut digest) =
            self.kept.log(LogKind::Fact).map_or((0, Digest::ZERO), |log| (log.head(), log.head_digest()));
        let mut ops = Vec::new();
        for change in changes {
            let (contract, config) = (settings.contract.clone(), settings.version);
            let (at, fact) = (self.stamps(now), Fact::Config(change));
            let body = FactBody { v: FactBody::VERSION, contract, config, crew: None, at, fact }.encode();
            // Ids, numbers and a detail that was cut: it always becomes text within the limits.
            let Some(body) = body.ok().and_then(|body| String::from_utf8(body).ok()) else { continue };
            (seq, digest) = (seq + 1, digest.then(body.as_bytes()));
            let id = now.fact_id(self.time.now(now.boot));
            let entry = NewEntry { seq, id, digest, body, note: None };
            ops.push(Op::Append { log: LogKind::Fact, entry });
        }
        ops.push(Op::Config(Box::new(next)));
        ops.push(Op::Time(self.time.keep(now.device, now.boot)));
        ops
    }

    /// A signed document came down.
    pub(crate) fn signed(
        &mut self,
        name: &DocumentName,
        payload: &[u8],
        now: &mut Now,
        out: &mut Vec<Effect>,
    ) -> Result<(), String> {
        let document = Document::decode(payload).map_err(|error| safe(&error))?;
        let held = self.kept.documents.get(name);
        if self.kept.erased() || held.is_some_and(|held| held.version >= document.version) {
            return Ok(());
        }
        let (version, digest) = (document.version, document.digest);
        if document.lapsed() {
            // What was taken stays in force: only what is signed changes it.
            let held = Held { version, digest, contents: Contents::Lapsed };
            let ops = vec![Op::Document { name: name.clone(), held, body: None }];
            self.begin(ops, Purpose::Other, now, out);
            return Ok(());
        }
        let body = document.body.get();
        let mut next = self.kept.config.clone();
        let changes = if *name == DocumentName::Keys {
            let chain = key_chain(body);
            let sets =
                chain.as_ref().map(|chain| chain.sets.iter().map(|set| set.get().as_bytes()).collect());
            next.take_keys(digest, sets.map_err(Clone::clone), &self.changing.own.city, true)
        } else if next.keys.is_none() {
            // They may be on their way, or may have been lost on it: that they lack is told where they don't come.
            Vec::new()
        } else {
            next.take_bundle(body.as_bytes(), self.judging(now)).1
        };
        let mut ops = Vec::new();
        if next != self.kept.config {
            ops = self.config_ops(next, changes, now);
        }
        // Also what is refused is held by its name, so that it does not come again.
        let held = Held { version, digest, contents: Contents::Signed(body.into()) };
        ops.push(Op::Document { name: name.clone(), held, body: Some(body.to_owned()) });
        self.begin(ops, Purpose::Other, now, out);
        Ok(())
    }

    /// The chain of key sets that lay beside the terminal's own file. Once any set is held it is only another way for the next.
    pub(crate) fn keys_file(&mut self, text: &str, now: &mut Now, out: &mut Vec<Effect>) {
        let chain = key_chain(text);
        let sets = chain.as_ref().map(|chain| chain.sets.iter().map(|set| set.get().as_bytes()).collect());
        let mut next = self.kept.config.clone();
        let digest = Digest::of(text.as_bytes());
        let changes = next.take_keys(digest, sets.map_err(Clone::clone), &self.changing.own.city, true);
        if next != self.kept.config && !self.kept.erased() {
            let ops = self.config_ops(next, changes, now);
            self.begin(ops, Purpose::Other, now, out);
        }
    }

    /// Takes over what a stick brings. `asked` is the number of whoever gave its file by hand.
    pub(crate) fn import(&mut self, asked: Option<u64>, stick: &Stick, now: &mut Now, out: &mut Vec<Effect>) {
        if self.kept.erased() {
            self.stick_read(asked, StickRead::NotForThis, out);
            return;
        }
        let mut next = self.kept.config.clone();
        let keys: Vec<&[u8]> = stick.keys.iter().map(|set| set.get().as_bytes()).collect();
        let mut changes = Vec::new();
        if next.keys.is_some() {
            let digest = Digest::of(&keys.concat());
            changes = next.take_keys(digest, Ok(keys), &self.changing.own.city, false);
        }
        let (taken, of_bundle) = next.take_bundle(stick.bundle.get().as_bytes(), self.judging(now));
        changes.extend(of_bundle);
        let read = match taken {
            Taken::Accepted => StickRead::Taken,
            Taken::Held => StickRead::Held,
            Taken::Refused(why) => StickRead::Refused(why),
        };
        if next == self.kept.config {
            self.stick_read(asked, read, out);
        } else {
            let ops = self.config_ops(next, changes, now);
            self.begin(ops, Purpose::Stick(asked, read), now, out);
        }
    }

    /// What is to be seen of a stick has changed.
    pub(crate) fn stick(&mut self, seen: StickSeen, now: &mut Now, out: &mut Vec<Effect>) {
        self.changed = true;
        self.changing.stick = match seen {
            StickSeen::Found(stick) => return self.import(None, &stick, now, out),
            StickSeen::Gone => None,
            StickSeen::NotForThis => Some(StickRead::NotForThis),
            StickSeen::Unreadable(why) => Some(StickRead::Unreadable(why)),
        };
    }

    /// Says what came of a stick, once it is on the disk.
    pub(crate) fn stick_read(&mut self, asked: Option<u64>, read: StickRead, out: &mut Vec<Effect>) {
        self.changed = true;
        match asked {
            Some(number) => out.push(Effect::Imported(number, read)),
            None => {
                out.push(Effect::Tell(Telling::Stick(read.clone())));
                self.changing.stick = Some(read);
            }
        }
    }

    /// What is plugged in was looked at.
    pub(crate) fn looked(&mut self, missing: &[String], now: &Now) {
        let every = seconds(self.settings.terminal.timers.peripherals);
        (self.changing.looking, self.changing.next_look) = (false, now.boot + every);
        self.changing.missing = Some((!missing.is_empty()).then(|| missing.join("; ")));
    }

    /// A transition is on the disk, which was kept as `before`: from here on it holds.
    pub(crate) fn reconfigured(&mut self, before: &KeptConfig, now: &Now, out: &mut Vec<Effect>) {
        self.changed = true;
        let config = &self.kept.config;
        if before.keys != config.keys {
            self.changing.judge_again = true;
        }
        let of = |config: &KeptConfig| {
            config.force.as_ref().map(|force| (force.version, force.configuration.from))
        };
        if of(before) != of(config) {
            self.changing.next_look = now.boot;
            (self.changing.tries, self.changing.by_before, self.changing.turn_at) = (0, false, None);
            (self.changing.silent_since, self.changing.refusals) = (None, 0);
            (self.changing.failed, self.changing.missing) = (None, None);
        }
        if before.line() != config.line() && config.line() == Some(LineState::Reverted) {
            (self.changing.by_before, self.changing.before_silent_since) = (true, None);
            (self.changing.failed, self.changing.turn_at) = (None, None);
        }
        if before.contract != config.contract && before.contract.is_some() {
            // Whoever had signed in belongs to the contract before.
            self.sign_in = SignIn::start(true, &self.kept.pins_wrong, now.boot);
            self.passed_over.clear();
        }
        let settings = config.onto(&self.changing.own);
        if settings != self.settings.terminal {
            let timers = &settings.timers;
            self.retry = Retry::new(seconds(timers.reconnect), seconds(timers.reconnect_most));
            let health = seconds(timers.health);
            self.next_health = (!health.is_zero()).then(|| now.boot + health);
            out.push(Effect::Reconfigure(Box::new(settings.clone())));
            self.settings.terminal = settings;
        }
        if let Line::Open(session) = &mut self.line {
            // The office learns at once what is held and in force, and what is lacking comes.
            session.asked = true;
        }
        self.take_turns(now, out);
    }

    /// Leaves a line that is not the one to be used, and connects to that one at once.
    fn take_turns(&mut self, now: &Now, out: &mut Vec<Effect>) {
        if self.connection() == self.changing.using {
            return;
        }
        if !matches!(self.line, Line::Down { .. }) {
            out.push(Effect::Disconnect);
        }
        (self.refused, self.certificate, self.changed) = (None, None, true);
        self.line = Line::Down { retry_at: now.boot };
    }

    fn connection(&self) -> Connection {
        self.kept.config.connection(&self.changing.own, self.changing.by_before)
    }

    /// Where to connect to now.
    pub(crate) fn connect(&mut self) -> Effect {
        self.changing.using = self.connection();
        Effect::Connect(Box::new(self.changing.using.clone()))
    }

    /// The line is lost, or could not be made: until an address is proven that counts, and the other one has its turn.
    pub(crate) fn trial_lost(&mut self, why: &Why, now: &Now) {
        match self.kept.config.line() {
            Some(LineState::Trial) => self.trial_failed(why, now),
            Some(LineState::Reverted) => {
                // A line that goes now and then is no reason to leave it.
                let since = *self.changing.before_silent_since.get_or_insert(now.boot);
                let silent = now.boot.saturating_sub(since) >= self.trial();
                self.changing.by_before = !(silent && self.changing.by_before);
            }
            Some(LineState::Proven) | None => {}
        }
    }

    fn trial_failed(&mut self, why: &Why, now: &Now) {
        let answered = matches!(&self.line, Line::Open(session) if session.answered);
        let changing = &mut self.changing;
        changing.turn_at = None;
        changing.by_before = !changing.by_before;
        if !changing.by_before {
            if !answered {
                // Where the one before does not answer either there is no coverage: that says nothing of the new one.
                (changing.tries, changing.silent_since) = (0, None);
            }
            return;
        }
        match why {
            // The broker does not let the terminal in. Silence is no such word, and said once it may be a mistake.
            Why::Refused(why) => {
                changing.refusals = changing.refusals.saturating_add(1);
                if changing.refusals >= TRIES {
                    changing.failed = Some((ConfigWhy::BrokerRefused, why.clone()));
                }
            }
            Why::Lost(_) | Why::Taken => {
                changing.tries = changing.tries.saturating_add(1);
                changing.silent_since.get_or_insert(now.boot);
            }
        }
    }

    /// How long an address must be silent to be left for the other one.
    fn trial(&self) -> Duration {
        seconds(self.settings.terminal.timers.trial)
    }

    /// While the line stands by the address before: goes back to that after enough tries and time, else gives the new one its turn
    /// after a while. Once it was gone back to, it stays so while the office answers.
    pub(crate) fn trial_work(&mut self, now: &Now, out: &mut Vec<Effect>) {
        let answered = matches!(&self.line, Line::Open(session) if session.answered);
        let line = self.kept.config.line();
        if !(self.changing.by_before && answered) {
            return;
        }
        if line == Some(LineState::Reverted) {
            self.changing.before_silent_since = None;
        }
        if line != Some(LineState::Trial) {
            return;
        }
        let silent = self.changing.silent_since.map(|since| now.boot.saturating_sub(since));
        if self.changing.tries >= TRIES && silent.is_some_and(|silent| silent >= self.trial()) {
            let force = self.kept.config.force.as_ref();
            let address = force.map(|force| &force.configuration.broker);
            let address =
                address.map_or_else(String::new, |broker| format!("{}:{}", broker.host, broker.port));
            let tries = self.changing.tries;
            let detail =
                format!("nobody answers at {address} after {tries} tries, while the office answers here");
            self.changing.failed = Some((ConfigWhy::BrokerUnreachable, detail));
            return;
        }
        let wait = seconds(self.settings.terminal.timers.reconnect_most);
        let turn_at = *self.changing.turn_at.get_or_insert(now.boot + wait);
        if now.boot >= turn_at {
            (self.changing.by_before, self.changing.turn_at) = (false, None);
            self.take_turns(now, out);
        }
    }

    /// Has what is plugged in looked at, where it is time.
    pub(crate) fn look_work(&mut self, now: &Now, out: &mut Vec<Effect>) {
        let Some(force) = &self.kept.config.force else { return };
        let ports = &force.configuration.peripheral;
        if ports.is_empty() {
            self.changing.missing = Some(None);
        } else if !self.changing.looking && now.boot >= self.changing.next_look {
            self.changing.looking = true;
            out.push(Effect::Look(ports.clone()));
        }
    }

    /// A transition could not be written.
    pub(crate) fn write_again(&mut self, now: &Now) {
        self.changing.write_at = Some(now.boot + WRITE_AGAIN);
        self.changing.judge_again = true;
    }

    /// When anything of this is due by itself.
    pub(crate) fn switchover_wake(&self, now: &Now) -> Option<Duration> {
        let changing = &self.changing;
        let time = self.time.sure(now.boot);
        let instant = self.kept.config.coming().iter().find_map(|next| {
            let left = next.from?.duration_since(time?);
            Duration::try_from(left).ok().filter(|left| !left.is_zero()).map(|left| now.boot + left)
        });
        let ports =
            self.kept.config.force.as_ref().is_some_and(|force| !force.configuration.peripheral.is_empty());
        let look = (ports && !changing.looking).then_some(changing.next_look);
        let judge = self.document_to_judge().map(|_| changing.judge_at);
        let ask = Some(changing.ask_at).filter(|at| *at > now.boot);
        let write = changing.write_at.filter(|_| !self.kept.erased());
        [instant, look, judge, ask, write, changing.turn_at].into_iter().flatten().min()
    }
}
