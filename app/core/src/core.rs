//! One step of a terminal: an event comes in, state changes, effects go out.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use meguri_config::Terminal;
use meguri_config::terminal::seconds;
use meguri_proto::{BootId, CrewId, Digest, DocumentName, Epoch, FactId, LogKind, Message, Presence};
use uuid::Uuid;

use crate::event::{Effect, Event, Recorded, Telling};
use crate::kept::{Contents, Kept, KeptList, Log, Op, Rechained};
use crate::line::Line;
use crate::moment::{Moment, Now};
use crate::overlay;
use crate::retry::Retry;
use crate::sign_in::SignIn;
use crate::status::{LogStatus, Status};
use crate::switchover::Changing;
use crate::time::TrustedTime;
use crate::trouble::{Trouble, TroubleKind};
use crate::view::{Link, NotRecorded, StickRead, View};

/// Who this terminal is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its settings.
    pub terminal: Terminal,
    /// Version of the program.
    pub app: String,
    /// Which start of the device this is, where the system says.
    pub device_start: Option<Uuid>,
}

/// What a commit under way is for.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// An intent's fact, with its number.
    Record(u64, FactId, u64),
    /// What a hello's answer said.
    Answer,
    /// The crew's word that the date shown is right.
    ConfirmDate(Date),
    /// The crew's word that it is another date, with what the device's clock showed.
    SetDate(Date, Timestamp),
    /// A transition of a configuration.
    Config,
    /// What a USB stick brought, or whoever gave its file by hand.
    Stick(Option<u64>, StickRead),
    /// A PIN that counts as wrong until it is found right.
    CheckPin(u64, CrewId),
    /// Anything else.
    Other,
}

/// The terminal's mind.
#[derive(Debug)]
pub struct Core {
    pub(crate) settings: Settings,
    pub(crate) changing: Changing,
    pub(crate) boot: BootId,
    pub(crate) kept: Kept,
    pub(crate) time: TrustedTime,
    pub(crate) line: Line,
    pub(crate) retry: Retry,
    pub(crate) sign_in: SignIn,
    /// Lists that came while nothing could be sealed: a hello names them all the same, until somebody has signed in.
    pub(crate) passed_over: BTreeMap<DocumentName, (u64, Digest)>,
    pub(crate) refused: Option<String>,
    /// By which certificate the link comes in.
    pub(crate) certificate: Option<String>,
    pub(crate) heard_at: Option<Timestamp>,
    /// The commit under way, and what came while it was.
    pub(crate) commit: Option<(Vec<Op>, Purpose)>,
    pub(crate) later: VecDeque<Event>,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) unreadable: [Option<String>; 2],
    /// Which notes were found damaged today.
    pub(crate) notes_lost: Option<String>,
    pub(crate) next_health: Option<Duration>,
    pub(crate) sampling: bool,
    pub(crate) next_housekeeping: Duration,
    /// Whether the office has just said what it holds, and all that follows from it is on the disk.
    pub(crate) may_prune: bool,
    /// The boot clock at the last step, by which a view tells the time.
    pub(crate) now: Duration,
    pub(crate) changed: bool,
}

impl Core {
    /// The mind of a terminal that keeps `kept`, with the first things to do.
    #[must_use]
    pub fn new(mut settings: Settings, mut kept: Kept, moment: Moment) -> (Self, Vec<Effect>) {
        let mut now = Now::new(moment);
        if let Some(log) = &mut kept.fact {
            log.found = log.head();
        }
        let changing = Changing::new(settings.terminal.clone(), &kept.config, now.boot);
        settings.terminal = kept.config.onto(&changing.own);
        let time = TrustedTime::start(kept.time, now.device, now.boot, settings.device_start, |date| {
            let of = |name: &DocumentName| matches!(name, DocumentName::List { date: of, .. } if *of == date);
            let mut held = kept.documents.iter();
            held.any(|(name, held)| of(name) && !matches!(held.contents, Contents::Lapsed))
        });
        let timers = &settings.terminal.timers;
        let health = seconds(timers.health);
        let mut core = Self {
            boot: BootId(now.uuid()),
            time,
            line: Line::Down { retry_at: now.boot },
            sign_in: SignIn::start(kept.sealed || !kept.crew().is_empty(), &kept.pins_wrong, now.boot),
            passed_over: BTreeMap::new(),
            retry: Retry::new(seconds(timers.reconnect), seconds(timers.reconnect_most)),
            refused: None,
            certificate: None,
            heard_at: None,
            commit: None,
            later: VecDeque::new(),
            trouble: None,
            unreadable: [None, None],
            notes_lost: None,
            next_health: (!health.is_zero()).then(|| now.boot + health),
            sampling: false,
            next_housekeeping: now.boot,
            may_prune: false,
            now: now.boot,
            changed: true,
            settings,
            changing,
            kept,
        };
        let mut out = Vec::new();
        if core.settings.terminal != core.changing.own {
            out.push(Effect::Reconfigure(Box::new(core.settings.terminal.clone())));
        }
        if LogKind::ALL.iter().any(|log| core.kept.log(*log).is_none()) {
            core.begin(Vec::new(), Purpose::Other, &mut now, &mut out);
        }
        core.work(&mut now, &mut out);
        (core, out)
    }

    /// Takes an event at a moment.
    pub fn step(&mut self, event: Event, moment: Moment) -> Vec<Effect> {
        let mut now = Now::new(moment);
        let mut out = Vec::new();
        if self.time.today(now.boot) != self.time.today(self.now) {
            (self.changed, self.notes_lost) = (true, None);
        }
        self.changed |= self.now < self.changing.ask_at && now.boot >= self.changing.ask_at;
        self.now = now.boot;
        match event {
            Event::Committed(rechained) => self.committed(Ok(rechained), &now, &mut out),
            Event::CommitFailed(why) => self.committed(Err(why), &now, &mut out),
            event => self.later.push_back(event),
        }
        while self.commit.is_none() {
            // What is due goes before what waits: it may be of a contract that has ended.
            self.change_over(&mut now, &mut out);
            if self.commit.is_some() {
                break;
            }
            let Some(event) = self.later.pop_front() else { break };
            self.take(event, &mut now, &mut out);
        }
        self.work(&mut now, &mut out);
        out
    }

    /// Whether the view has changed since this was last asked.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// What a front shows.
    #[must_use]
    pub fn view(&self) -> View {
        let terminal = &self.settings.terminal.terminal;
        let list = self
            .todays_list()
            .filter(|_| !self.locked())
            .map(|(version, list)| overlay::lay_over(list, version, self.kept.fact.as_ref(), terminal));
        View {
            today: self.time.today(self.now),
            list,
            link: self.link(),
            waiting: self.kept.fact.as_ref().map_or(0, Log::waiting),
            heard_at: self.heard_at,
            clock_in_doubt: self.time.sure(self.now).is_none(),
            earliest: self.time.earliest(self.now),
            trouble: self.view_trouble(),
            crew: self.view_crew(),
            erased: self.kept.erased(),
            config: self.view_config(),
        }
    }

    /// What those who look after terminals, and tests, ask.
    #[must_use]
    pub fn status(&self) -> Status {
        let logs = LogKind::ALL.into_iter().filter_map(|kind| Some((kind, self.kept.log(kind)?)));
        Status {
            boot: self.boot,
            link: self.link().into(),
            office: self.kept.office,
            today: self.time.today(self.now),
            clock_in_doubt: self.time.sure(self.now).is_none(),
            waiting: self.kept.fact.as_ref().map_or(0, Log::waiting),
            logs: logs.map(|(kind, log)| LogStatus::new(kind, log)).collect(),
            documents: self.kept.documents_held(),
            config: self.config_status(),
            trouble_kind: self.view_trouble().map(|trouble| trouble.kind),
            trouble: self.view_trouble().map(|trouble| trouble.detail),
        }
    }

    /// The time of which the terminal is sure, as of the last step; none while its clock is in doubt.
    #[must_use]
    pub fn sure_time(&self) -> Option<Timestamp> {
        self.time.sure(self.now)
    }

    /// The retained presence message; `online: false` is the last will.
    #[must_use]
    pub fn presence(&self, online: bool) -> Vec<u8> {
        let app = self.settings.app.clone();
        // It holds nothing that could pass a limit but the program's own version.
        Presence { v: Presence::VERSION, online, boot: self.boot, app }.encode().unwrap_or_default()
    }

    /// What weighs most: what keeps the crew from recording, before what keeps the office from knowing.
    fn view_trouble(&self) -> Option<Trouble> {
        let of = |kind, why: Option<&String>| why.map(|why| Trouble::new(kind, why));
        let unsendable = of(TroubleKind::Unsendable, self.unreadable.iter().flatten().next());
        let note = of(TroubleKind::NoteLost, self.notes_lost.as_ref());
        self.trouble.clone().or(unsendable).or(note)
    }

    pub(crate) fn link(&self) -> Link {
        match &self.line {
            Line::Open(session) if session.answered && session.unanswered < 2 => Link::Up,
            Line::Open(_) => Link::Joining,
            _ if self.refused.is_some() => Link::Refused(self.refused.clone().unwrap_or_default()),
            Line::Connecting { .. } => Link::Joining,
            Line::Down { .. } => Link::Down,
        }
    }

    pub(crate) fn todays_list(&self) -> Option<(u64, &KeptList)> {
        let (contract, date) = (self.settings.terminal.contract.clone(), self.time.today(self.now));
        let held = self.kept.documents.get(&DocumentName::List { contract, date })?;
        Some((held.version, held.list()?))
    }

    /// Starts a commit. A log that is not there yet is made with whatever is written first.
    pub(crate) fn begin(&mut self, mut ops: Vec<Op>, purpose: Purpose, now: &mut Now, out: &mut Vec<Effect>) {
        for log in LogKind::ALL {
            if self.kept.log(log).is_none() {
                ops.insert(0, Op::Open { log, epoch: Epoch(now.uuid()) });
            }
        }
        out.push(Effect::Commit(ops.clone()));
        self.commit = Some((ops, purpose));
    }

    fn committed(&mut self, result: Result<Rechained, Trouble>, now: &Now, out: &mut Vec<Effect>) {
        let Some((ops, purpose)) = self.commit.take() else { return };
        self.changed = true;
        let before =
            LogKind::ALL.map(|log| self.kept.log(log).map_or((0, 0), |log| (log.acked, log.waiting())));
        if matches!(purpose, Purpose::Answer) {
            // Where a fork could not be written, what the office lacks still looks as if it had it.
            (self.next_housekeeping, self.may_prune) = (now.boot, result.is_ok());
        }
        let mut unforked = Vec::new();
        match result {
            Ok(mut rechained) => {
                self.trouble = None;
                let config =
                    ops.iter().any(|op| matches!(op, Op::Config(_))).then(|| self.kept.config.clone());
                for op in ops {
                    self.tell_of(&op, out);
                    let coming_crew = matches!(&op, Op::Document { name: DocumentName::CrewOf { .. }, .. });
                    let (erased, sealed) = (self.kept.erased(), self.kept.sealed);
                    let crew = self.kept.crew().to_vec();
                    self.kept.apply(op, &mut rechained);
                    if crew != self.kept.crew() {
                        self.crew_changed(&crew);
                    }
                    let opened = sealed && !self.kept.sealed;
                    if opened {
                        self.passed_over.clear();
                    }
                    // The office waits to hear that it is done; what was not taken before, or sealed to others, comes again.
                    if (erased != self.kept.erased() || opened || coming_crew)
                        && let Line::Open(session) = &mut self.line
                    {
                        session.asked = true;
                    }
                }
                if let Some(before) = config {
                    self.reconfigured(&before, now, out);
                }
                match &purpose {
                    Purpose::ConfirmDate(date) => drop(self.time.confirm(*date, now.boot)),
                    Purpose::SetDate(date, device) => drop(self.time.set(*date, *device, now.boot)),
                    Purpose::Stick(asked, read) => self.stick_read(*asked, read.clone(), out),
                    _ => {}
                }
                if let Purpose::CheckPin(number, member) = &purpose {
                    out.push(Effect::CheckPin(*number, member.clone()));
                }
                if let (Purpose::Record(intent, fact, seq), Some(log)) = (&purpose, &self.kept.fact) {
                    let recorded = Recorded { fact: *fact, epoch: log.epoch, seq: *seq };
                    out.push(Effect::Answer(*intent, Ok(recorded)));
                }
            }
            Err(why) => {
                out.push(Effect::Tell(Telling::Store(why.clone())));
                for op in ops {
                    match op {
                        // Knowledge of the office's, which a restart may lose without harm: sending must
                        // go on while the disk is full.
                        Op::Acked { .. } | Op::Office(_) | Op::PinsWrong(..) => {
                            self.kept.apply(op, &mut Vec::new());
                        }
                        Op::Fork { log, .. } => unforked.push(log),
                        _ => {}
                    }
                }
                // A full disk keeps nobody from looking at the list.
                if let Purpose::CheckPin(number, member) = &purpose {
                    out.push(Effect::CheckPin(*number, member.clone()));
                }
                match &purpose {
                    Purpose::Config => self.write_again(now),
                    Purpose::Stick(asked, _) => {
                        self.stick_read(*asked, StickRead::Unreadable(why.detail.clone()), out);
                    }
                    _ => {}
                }
                if let Purpose::Record(intent, ..) = purpose {
                    out.push(Effect::Answer(intent, Err(NotRecorded::Store(why.detail.clone()))));
                }
                self.trouble = Some(why);
            }
        }
        for (log, (acked, waiting)) in LogKind::ALL.into_iter().zip(before) {
            let (Line::Open(session), Some(kept)) = (&mut self.line, self.kept.log(log)) else { continue };
            let timers = &self.settings.terminal.timers;
            if matches!(purpose, Purpose::Answer) {
                session.restart(log, kept.acked, now.boot);
            }
            if kept.acked > acked {
                session.acked(log, kept.acked, timers, now.boot);
                session.asked |= acked < kept.moved && kept.acked >= kept.moved;
                self.unreadable[usize::from(log == LogKind::Track)] = None;
            } else if waiting == 0 && kept.waiting() > 0 {
                session.wrote(log, now.boot);
            }
            if unforked.contains(&log) {
                session.mute(log);
            }
        }
    }

    /// Tells of a change before it is made.
    fn tell_of(&self, op: &Op, out: &mut Vec<Effect>) {
        match op {
            Op::Fork { log, epoch } => {
                let Some(kept) = self.kept.log(*log) else { return };
                let (from, entries) = (kept.epoch, kept.entries.len() as u64);
                out.push(Effect::Tell(Telling::Forked { log: *log, from, to: *epoch, entries }));
            }
            Op::Acked { log, seq, .. } => {
                let Some(kept) = self.kept.log(*log).filter(|kept| *seq < kept.acked) else { return };
                out.push(Effect::Tell(Telling::WentBack { log: *log, from: kept.acked, to: *seq }));
            }
            _ => {}
        }
    }
}
