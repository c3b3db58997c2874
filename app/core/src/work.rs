//! What the core does on an event, and what it does by itself when a timer is due.

use std::time::Duration;

use jiff::SignedDuration;
use meguri_config::terminal::seconds;
use meguri_proto::{
    Ack, DocumentName, DownTopic, FactId, Health, Hello, ListRef, LogKind, LogsHeld, Message, Nonce, Stamps,
    Topic, TrackBody, TrackFact, UpTopic, Way,
};

use crate::answer::{Judged, judge_answer, judge_plain};
use crate::config::LineState;
use crate::core::{Core, Purpose};
use crate::documents;
use crate::event::{Effect, Event, Telling, Why};
use crate::kept::{Log, NewEntry, Op};
use crate::line::{HELLOS_UNANSWERED, Line, Session, link_due};
use crate::moment::Now;
use crate::overlay;
use crate::record::{Draft, draft, pickup_of};
use crate::time::Heard;
use crate::view::{Intent, NotRecorded, Shown};

/// Between looks at what may be deleted.
const HOUSEKEEPING: Duration = Duration::from_secs(600);

impl Core {
    /// Takes an event while no commit is under way.
    pub(crate) fn take(&mut self, event: Event, now: &mut Now, out: &mut Vec<Effect>) {
        match event {
            Event::Certificate(serial) => self.certificate = Some(serial),
            Event::Connected => {
                self.line = Line::Open(Session::open(&self.settings.terminal.timers, now.boot));
                (self.refused, self.changed) = (None, true);
                out.push(Effect::Publish(UpTopic::Presence, self.presence(true)));
            }
            Event::Disconnected(why) => self.disconnected(&why, now),
            Event::Received { topic, payload } => {
                if let Err(why) = self.received(&topic, &payload, now, out) {
                    out.push(Effect::Tell(Telling::Aside { topic, why }));
                }
            }
            Event::Intent(number, intent, shown) => match self.record(&intent, shown, now) {
                Ok((ops, fact, seq)) => self.begin(ops, Purpose::Record(number, fact, seq), now, out),
                Err(why) => out.push(Effect::Answer(number, Err(why))),
            },
            Event::ConfirmDate(date) => {
                // The doubt ends when that is on the disk: a crash must not bring it back.
                let mut time = self.time.clone();
                if time.confirm(date, now.boot) {
                    let op = Op::Time(time.keep(now.device, now.boot));
                    self.begin(vec![op], Purpose::ConfirmDate(date), now, out);
                }
            }
            // It can end a contract, and what ends with that does not come back: that is for the crew alone to say.
            Event::SetDate(_) if self.locked() => {}
            Event::SetDate(date) => {
                let mut time = self.time.clone();
                if time.set(date, now.device, now.boot) {
                    let op = Op::Time(time.keep(now.device, now.boot));
                    self.begin(vec![op], Purpose::SetDate(date, now.device), now, out);
                }
            }
            Event::KeysFile(text) => self.keys_file(&text, now, out),
            Event::Stick(seen) => self.stick(seen, now, out),
            Event::Import(number, stick) => self.import(Some(number), &stick, now, out),
            Event::Looked(missing) => self.looked(&missing, now),
            Event::SendFailed(log, why) => {
                if let Line::Open(session) = &mut self.line {
                    session.mute(log);
                }
                self.unreadable[usize::from(log == LogKind::Track)] = Some(why.clone());
                self.changed = true;
                out.push(Effect::Tell(Telling::Unreadable(log, why)));
            }
            Event::NotesLost(log, seqs) => {
                let seqs: Vec<String> = seqs.iter().map(u64::to_string).collect();
                let which = format!(
                    "the note beside entry {} of the {log} log is damaged on the disk; it was sent without it",
                    seqs.join(", ")
                );
                (self.notes_lost, self.changed) = (Some(which), true);
            }
            Event::SignIn(number, member) => self.sign_in(number, member, now, out),
            Event::PinChecked(number, member, opened) => self.pin_checked(number, member, opened, now, out),
            Event::Lock => self.lock(),
            Event::Sampled(free_bytes) => self.sampled(free_bytes, now, out),
            // Results of a commit that is not under way, and ticks, ask for nothing more.
            Event::Committed(_) | Event::CommitFailed(_) | Event::Tick => {}
        }
    }

    fn disconnected(&mut self, why: &Why, now: &mut Now) {
        self.trial_lost(why, now);
        if let Line::Open(session) = &self.line
            && session.answered
            && now.boot.saturating_sub(session.opened) >= self.retry.good_session()
        {
            self.retry.reset();
        }
        let wait = match why {
            Why::Lost(_) => self.retry.wait(now),
            // The next try is at another address, which has not refused.
            Why::Refused(_) if self.kept.config.line() == Some(LineState::Trial) => self.retry.wait(now),
            Why::Taken | Why::Refused(_) => self.retry.wait_long(now),
        };
        self.refused = match why {
            Why::Refused(why) => Some(why.clone()),
            Why::Lost(_) | Why::Taken => None,
        };
        self.line = Line::Down { retry_at: now.boot + wait };
        self.changed = true;
    }

    fn received(
        &mut self,
        topic: &str,
        payload: &[u8],
        now: &mut Now,
        out: &mut Vec<Effect>,
    ) -> Result<(), String> {
        let parsed: Topic = topic.parse().map_err(|error| format!("{error}"))?;
        let terminal = &self.settings.terminal;
        if parsed.city != terminal.city || parsed.terminal != terminal.terminal {
            return Err("it is for another terminal".to_owned());
        }
        match parsed.way {
            Way::Down(DownTopic::Ack) => {
                let ack = Ack::decode(payload).map_err(|error| documents::safe(&error))?;
                self.heard_at = Some(self.time.now(now.boot));
                self.changed = true;
                self.ack(&ack, now, out);
                Ok(())
            }
            Way::Down(DownTopic::Document(name @ (DocumentName::Keys | DocumentName::Config))) => {
                self.signed(&name, payload, now, out)
            }
            Way::Down(DownTopic::Document(name)) => {
                let (own, today) = (&self.settings.terminal.contract, self.time.today(now.boot));
                let ops = documents::judge(&self.kept, own, &name, payload, today)?;
                if ops.is_empty()
                    && let Some(passed) = documents::passed_over(&self.kept, &name, payload)
                {
                    self.passed_over.insert(name, passed);
                } else if !ops.is_empty() {
                    self.begin(ops, Purpose::Other, now, out);
                }
                Ok(())
            }
            Way::Up(_) => Err("it goes up".to_owned()),
        }
    }

    fn ack(&mut self, ack: &Ack, now: &mut Now, out: &mut Vec<Effect>) {
        let Line::Open(session) = &mut self.line else { return };
        session.asked |= ack.say_hello;
        if ack.nonce.is_some() && ack.nonce == session.nonce {
            (session.nonce, session.unanswered, session.asked) = (None, 0, ack.say_hello);
            session.answered = true;
            self.answer(ack, now, out);
        } else if session.answered {
            self.plain_ack(ack, now, out);
        }
    }

    fn answer(&mut self, ack: &Ack, now: &mut Now, out: &mut Vec<Effect>) {
        // An office that doubts its clock tells no time: this terminal's own goes on.
        if let Some(time) = ack.time
            && self.time.heard(time, now.boot) == Heard::AskAgain
        {
            out.push(Effect::Tell(Telling::TimeDoubted(time)));
            if let Line::Open(session) = &mut self.line {
                session.asked = true;
            }
        }
        self.heard_at = Some(self.time.now(now.boot));
        let mut ops = vec![Op::Time(self.time.keep(now.device, now.boot))];
        if self.kept.office != Some(ack.incarnation) {
            ops.push(Op::Office(ack.incarnation));
        }
        for held in &ack.held {
            let Some(log) = self.kept.log(held.log) else { continue };
            match judge_answer(log, held) {
                Judged::Holds(seq) if seq != log.acked => ops.push(self.acked(held.log, seq, now)),
                Judged::Fork => {
                    ops.push(Op::Fork { log: held.log, epoch: meguri_proto::Epoch(now.uuid()) });
                }
                Judged::Holds(_) | Judged::Nothing => {}
            }
        }
        if let Line::Open(session) = &mut self.line
            && LogKind::ALL.iter().all(|log| self.kept.log(*log).is_none_or(|log| log.waiting() == 0))
        {
            session.calm(&self.settings.terminal.timers);
        }
        self.begin(ops, Purpose::Answer, now, out);
    }

    fn plain_ack(&mut self, ack: &Ack, now: &mut Now, out: &mut Vec<Effect>) {
        let mut ops = Vec::new();
        let mut doubt = self.kept.office != Some(ack.incarnation);
        if !doubt {
            for held in &ack.held {
                let Some(log) = self.kept.log(held.log) else { continue };
                match judge_plain(log, held) {
                    Judged::Holds(seq) => ops.push(self.acked(held.log, seq, now)),
                    // A late one may speak of what has changed since: only a hello can tell.
                    Judged::Fork => doubt = true,
                    Judged::Nothing => {}
                }
            }
        }
        if let Line::Open(session) = &mut self.line {
            session.asked |= doubt;
        }
        if !ops.is_empty() {
            self.begin(ops, Purpose::Other, now, out);
        }
    }

    fn acked(&self, log: LogKind, seq: u64, now: &Now) -> Op {
        Op::Acked { log, seq, at: self.time.now(now.boot) }
    }

    pub(crate) fn stamps(&self, now: &Now) -> Stamps {
        Stamps { terminal: now.device, gnss: None, trusted: self.time.sure(now.boot) }
    }

    /// The entry that would follow, with what goes with it into the store.
    fn append(&self, log: LogKind, draft: Draft, now: &mut Now) -> (Vec<Op>, FactId, u64) {
        let (seq, before) = self
            .kept
            .log(log)
            .map_or((1, meguri_proto::Digest::ZERO), |log| (log.head() + 1, log.head_digest()));
        let id = now.fact_id(self.time.now(now.boot));
        let digest = before.then(draft.body.as_bytes());
        let entry = NewEntry { seq, id, digest, body: draft.body, note: draft.note };
        let time = Op::Time(self.time.keep(now.device, now.boot));
        (vec![Op::Append { log, entry }, time], id, seq)
    }

    fn record(
        &self,
        intent: &Intent,
        shown: Option<Shown>,
        now: &mut Now,
    ) -> Result<(Vec<Op>, FactId, u64), NotRecorded> {
        if self.locked() {
            return Err(NotRecorded::Locked);
        }
        let pickup = pickup_of(intent);
        let (version, list) = self.todays_list().ok_or(NotRecorded::NotListed)?;
        let listed = list.pickups.iter().find(|listed| listed.id == pickup).ok_or(NotRecorded::NotListed)?;
        let terminal = &self.settings.terminal;
        let stop = overlay::stop(list, listed, self.kept.fact.as_ref(), &terminal.terminal);
        let list = ListRef { date: list.date, version };
        let list = match shown {
            // What was meant speaks of other items.
            Some(shown) if shown.list.date != list.date || shown.listed.items != listed.items => {
                return Err(NotRecorded::Changed);
            }
            Some(shown) => shown.list,
            None => list,
        };
        let draft = draft(terminal, intent, self.sign_in.who().cloned(), &stop, list, self.stamps(now))?;
        Ok(self.append(LogKind::Fact, draft, now))
    }

    fn sampled(&mut self, free_bytes: Option<u64>, now: &mut Now, out: &mut Vec<Effect>) {
        self.sampling = false;
        let waiting = self.kept.fact.as_ref().map_or(0, Log::waiting);
        let track = TrackFact::Health(Health { app: self.settings.app.clone(), waiting, free_bytes });
        let body = TrackBody { v: TrackBody::VERSION, at: self.stamps(now), track };
        // The program's own version is the only text in it.
        let Some(body) = body.encode().ok().and_then(|body| String::from_utf8(body).ok()) else { return };
        let (ops, ..) = self.append(LogKind::Track, Draft { body, note: None }, now);
        self.begin(ops, Purpose::Other, now, out);
    }

    /// Does whatever is due, and says when something will be.
    pub(crate) fn work(&mut self, now: &mut Now, out: &mut Vec<Effect>) {
        self.trial_work(now, out);
        self.look_work(now, out);
        if self.commit.is_none() {
            self.change_over(now, out);
        }
        self.line_work(now, out);
        if self.commit.is_none() && now.boot >= self.next_housekeeping {
            self.next_housekeeping = now.boot + HOUSEKEEPING;
            let ops = self.housekeeping(now);
            self.may_prune = false;
            if !ops.is_empty() {
                self.begin(ops, Purpose::Other, now, out);
            }
        }
        if !self.sampling && self.next_health.is_some_and(|due| now.boot >= due) {
            let every = seconds(self.settings.terminal.timers.health);
            (self.sampling, self.next_health) = (true, Some(now.boot + every));
            out.push(Effect::Sample);
        }
        out.push(Effect::Wake(self.wake(now)));
    }

    fn line_work(&mut self, now: &mut Now, out: &mut Vec<Effect>) {
        let timers = &self.settings.terminal.timers;
        let waiting = LogKind::ALL.map(|log| self.kept.log(log).is_some_and(|log| log.waiting() > 0));
        match &mut self.line {
            Line::Down { retry_at } if now.boot >= *retry_at => {
                (self.line, self.changed) = (Line::Connecting { since: now.boot }, true);
                let connect = self.connect();
                out.push(connect);
            }
            Line::Connecting { since } if now.boot >= link_due(*since, timers) => {
                out.push(Effect::Disconnect);
                self.disconnected(&Why::Lost("the link does not report".to_owned()), now);
            }
            Line::Open(session) if now.boot >= session.hello_due(timers, waiting) => {
                if session.unanswered >= HELLOS_UNANSWERED && session.nonce.is_some() {
                    out.push(Effect::Disconnect);
                    self.disconnected(&Why::Lost("the office does not answer".to_owned()), now);
                } else {
                    self.hello(now, out);
                }
            }
            Line::Down { .. } | Line::Connecting { .. } | Line::Open(_) => {}
        }
        // What a commit under way changes may not be sent before it is on the disk.
        if self.commit.is_some() {
            return;
        }
        let Line::Open(session) = &mut self.line else { return };
        for kind in LogKind::ALL {
            let Some(log) = self.kept.log(kind) else { continue };
            while let Some((first, last)) = session.next_send(kind, log) {
                out.push(Effect::Send { log: kind, epoch: log.epoch, first, last });
            }
        }
    }

    fn hello(&mut self, now: &mut Now, out: &mut Vec<Effect>) {
        let nonce = Nonce(now.uuid());
        let held = |log| self.kept.log(log).map(Log::held).into_iter().collect();
        let hello = Hello {
            v: Hello::VERSION,
            nonce,
            boot: self.boot,
            app: self.settings.app.clone(),
            config: self.settings.terminal.version,
            incarnation: self.kept.office,
            certificate: self.certificate.clone(),
            logs: LogsHeld { fact: held(LogKind::Fact), track: held(LogKind::Track) },
            documents: documents::told(&self.kept, &self.passed_over),
        };
        let Line::Open(session) = &mut self.line else { return };
        session.said_hello(nonce, &self.settings.terminal.timers, now);
        self.changed = true;
        match hello.encode() {
            Ok(bytes) => out.push(Effect::Publish(UpTopic::Hello, bytes)),
            Err(error) => {
                let topic = UpTopic::Hello.as_str().to_owned();
                out.push(Effect::Tell(Telling::Aside { topic, why: error.to_string() }));
            }
        }
    }

    /// What may be deleted now, by time that is not in doubt. Entries go only while an answer is fresh, that the
    /// office still holds them: one restored from a copy while this terminal was away gets them first.
    fn housekeeping(&self, now: &Now) -> Vec<Op> {
        let Some(time) = self.time.sure(now.boot) else { return Vec::new() };
        let retention = &self.settings.terminal.retention;
        let today = self.time.today(now.boot);
        let mut ops = Vec::new();
        let kept_for = SignedDuration::from_hours(24 * i64::from(retention.acked_days));
        for kind in LogKind::ALL {
            let Some(log) = self.kept.log(kind).filter(|_| self.may_prune) else { continue };
            let old = |at: jiff::Timestamp| time.duration_since(at) >= kept_for;
            let gone = log.entries.iter().take_while(|entry| entry.acked_at.is_some_and(old)).count() as u64;
            let upto = (log.first - 1 + gone).min(log.acked);
            if upto >= log.first {
                ops.push(Op::Prune { log: kind, upto });
            }
        }
        for name in self.kept.documents.keys() {
            let DocumentName::List { date, .. } = name else { continue };
            let age = date.until(today).map_or(0, |span| i64::from(span.get_days()));
            if age > i64::from(retention.list_days) {
                ops.push(Op::DropDocument(name.clone()));
            }
        }
        ops
    }

    fn wake(&self, now: &Now) -> Duration {
        let timers = &self.settings.terminal.timers;
        let waiting = LogKind::ALL.map(|log| self.kept.log(log).is_some_and(|log| log.waiting() > 0));
        let line = match &self.line {
            Line::Down { retry_at } => *retry_at,
            Line::Connecting { since } => link_due(*since, timers),
            Line::Open(session) => session.hello_due(timers, waiting),
        };
        let health = self.next_health.filter(|_| !self.sampling);
        let midnight = now.boot + self.time.until_midnight(now.boot);
        let switchover = self.switchover_wake(now);
        [Some(line), health, switchover, Some(self.next_housekeeping)]
            .into_iter()
            .flatten()
            .fold(midnight, Duration::min)
    }
}
