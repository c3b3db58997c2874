//! The console of a terminal without a screen: a command a line, an answer of one line of JSON.
//!
//! | command | answer |
//! |---|---|
//! | `list` | today's list with each stop's state |
//! | `status` | logs, line, documents |
//! | `collect STOP` | `{"ok":"confirmed","fact":…,"epoch":…,"seq":…}`, once it is on the disk |
//! | `refuse STOP REASON [NOTE]` | the same |
//! | `partly STOP ITEM=COUNT[:REASON] … [NOTE]` | the same; items count from 1 |
//! | `undo STOP` | the same |
//! | `crew` | who may sign in, whether somebody must, and who has |
//! | `sign-in MEMBER PIN` | `{"ok":"signed_in"}` |
//! | `lock` | `{"ok":"locked"}` |
//! | `config` | how the configuration stands, and what is to come |
//! | `import FILE` | `{"ok":"taken"}` or `held`, of the file that a USB stick carries for this terminal |
//! | `set_date DATE` | `{"ok":"set"}` when the terminal takes that for today, like `2026-04-01` |
//! | `wait-list [SECONDS]` | `{"ok":"listed"}` when today's list is there |
//! | `wait-sent [SECONDS]` | `{"ok":"sent"}` when the office holds every fact |
//! | `quit` | stops the program |
//!
//! STOP is a reception number that is on today's list once, or a pickup's id. Where something was not
//! done the answer is `{"error":…,"why":…}`.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use meguri_core::sign_in::NotSignedIn;
use meguri_core::status::Status;
use meguri_core::view::{Intent, NotRecorded, StickRead, Stop, View};
use meguri_proto::{ItemResult, PickupId};
use serde_json::{Value, json};

use crate::around::read_stick;
use crate::body::Handle;

/// Waits end after this where the command names no seconds.
const PATIENCE: Duration = Duration::from_secs(60);

const HELP: &str = "list; status; collect STOP; refuse STOP REASON [NOTE]; \
    partly STOP ITEM=COUNT[:REASON] ... [NOTE]; undo STOP; crew; sign-in MEMBER PIN; lock; config; import FILE; set_date DATE; wait-list [SECONDS]; wait-sent [SECONDS]; quit";

/// Answers commands about one terminal.
#[derive(Debug)]
pub struct Console {
    handle: Handle,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// One line.
    pub json: Value,
    /// Whether the program is to stop now.
    pub quit: bool,
}

/// A command that was not done.
struct Refused {
    error: &'static str,
    why: String,
}

fn stopped() -> Refused {
    Refused { error: "stopped", why: "the terminal has stopped".to_owned() }
}

/// What came of a stick, in one word.
fn stick(read: &StickRead) -> Result<&'static str, Refused> {
    let (error, why) = match read {
        StickRead::Taken => return Ok("taken"),
        StickRead::Held => return Ok("held"),
        StickRead::Refused(why) => ("refused", serde_json::to_string(why).unwrap_or_default()),
        StickRead::NotForThis => ("not_for_this", "the stick has no file for this terminal".to_owned()),
        StickRead::Unreadable(why) => ("unreadable", why.clone()),
    };
    Err(Refused { error, why: why.trim_matches('"').to_owned() })
}

fn usage(why: impl Into<String>) -> Refused {
    Refused { error: "usage", why: why.into() }
}

impl Console {
    /// Of a running terminal.
    #[must_use]
    pub fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// Does what a line says. Blocks until it is done; not for an asynchronous task.
    #[must_use]
    pub fn reply(&self, line: &str) -> Reply {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        let json = match self.run(command, rest.trim()) {
            Ok(json) => json,
            Err(refused) => json!({ "error": refused.error, "why": refused.why }),
        };
        Reply { json, quit: command == "quit" }
    }

    fn view(&self) -> Arc<View> {
        self.handle.view().borrow().clone()
    }

    fn run(&self, command: &str, rest: &str) -> Result<Value, Refused> {
        match command {
            "list" => Ok(list(&self.view())),
            "status" => self.status(),
            "collect" => self.record(Intent::Collect { pickup: self.stop(rest)?.id() }),
            "undo" => self.record(Intent::Undo { pickup: self.stop(rest)?.id() }),
            "refuse" => self.record(self.refusal(rest)?),
            "partly" => self.record(self.part(rest)?),
            "crew" => Ok(crew(&self.view())),
            "sign-in" => self.sign_in(rest),
            "lock" => {
                self.handle.lock();
                self.wait("locked", "", |view| view.crew.locked || view.crew.members.is_empty())
            }
            "config" => self.config(),
            "import" => self.import(rest),
            "set_date" => self.set_date(rest),
            "wait-list" => self.wait("listed", rest, |view| view.list.is_some()),
            "wait-sent" => self.wait("sent", rest, |view| view.waiting == 0),
            "quit" => Ok(json!({ "ok": "quit" })),
            "help" => Ok(json!({ "ok": "help", "commands": HELP })),
            _ => Err(usage(HELP)),
        }
    }

    fn status(&self) -> Result<Value, Refused> {
        let status = serde_json::to_value(self.ask_status()?);
        status
            .map(|status| json!({ "ok": "status", "status": status }))
            .map_err(|error| Refused { error: "status", why: error.to_string() })
    }

    fn ask_status(&self) -> Result<Status, Refused> {
        let (to, from) = std::sync::mpsc::channel();
        self.handle.status_then(move |status| drop(to.send(status)));
        from.recv().ok().flatten().ok_or_else(stopped)
    }

    fn config(&self) -> Result<Value, Refused> {
        let config = serde_json::to_value(self.ask_status()?.config);
        let config = config.map_err(|error| Refused { error: "config", why: error.to_string() })?;
        let stick =
            self.view().config.stick.as_ref().map(|read| stick(read).unwrap_or_else(|refused| refused.error));
        Ok(json!({ "ok": "config", "config": config, "stick": stick }))
    }

    fn import(&self, file: &str) -> Result<Value, Refused> {
        let stick_file = read_stick(file.as_ref()).map_err(|why| Refused { error: "unreadable", why })?;
        let (to, from) = std::sync::mpsc::channel();
        self.handle.import_then(stick_file, move |read| drop(to.send(read)));
        let read = from.recv().ok().flatten().ok_or_else(stopped)?;
        stick(&read).map(|done| json!({ "ok": done }))
    }

    fn set_date(&self, date: &str) -> Result<Value, Refused> {
        let date: Date = date.parse().map_err(|_| usage("set_date DATE, like 2026-04-01"))?;
        let view = self.view();
        let most = view.earliest.checked_add(jiff::Span::new().days(400)).unwrap_or(Date::MAX);
        if !view.clock_in_doubt && view.today != date || date < view.earliest || date > most {
            let why = format!("it is {} by the office, or not from {} to {most}", view.today, view.earliest);
            return Err(Refused { error: "refused", why });
        }
        if view.crew.locked {
            let why = "somebody has to sign in first: sign-in MEMBER PIN".to_owned();
            return Err(Refused { error: "locked", why });
        }
        self.handle.set_date(date);
        self.wait("set", "", move |view| view.today == date && !view.clock_in_doubt)
    }

    /// The one stop that a word names.
    fn stop(&self, word: &str) -> Result<Stop, Refused> {
        let view = self.view();
        let stops = view.list.iter().flat_map(|list| &list.stops);
        let id = word.parse::<PickupId>().ok();
        let named = |stop: &&Stop| id.map_or(stop.listed.reception == word, |id| stop.id() == id);
        let found: Vec<&Stop> = stops.filter(named).collect();
        match found[..] {
            [stop] => Ok(stop.clone()),
            [] => Err(Refused { error: "not_listed", why: format!("{word} is not on today's list") }),
            _ => Err(Refused {
                error: "ambiguous",
                why: format!("{word} is on today's list {} times; give the pickup's id", found.len()),
            }),
        }
    }

    fn refusal(&self, rest: &str) -> Result<Intent, Refused> {
        let mut words = rest.splitn(3, ' ');
        let (Some(stop), Some(reason)) = (words.next(), words.next()) else {
            return Err(usage("refuse STOP REASON [NOTE]"));
        };
        let reason = reason.parse().map_err(usage)?;
        let note = words.next().map(str::to_owned);
        Ok(Intent::Refuse { pickup: self.stop(stop)?.id(), reason, note })
    }

    fn part(&self, rest: &str) -> Result<Intent, Refused> {
        let (stop, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let pickup = self.stop(stop)?.id();
        let mut items = Vec::new();
        while let Some(item) = rest.split(' ').next().and_then(item) {
            items.push(item?);
            rest = rest.split_once(' ').map_or("", |(_, rest)| rest.trim_start());
        }
        let note = (!rest.is_empty()).then(|| rest.to_owned());
        Ok(Intent::Partly { pickup, items, note })
    }

    fn record(&self, intent: Intent) -> Result<Value, Refused> {
        let (to, from) = std::sync::mpsc::channel();
        self.handle.record_placed(intent, None, move |result| drop(to.send(result)));
        let stopped = NotRecorded::Store("the terminal has stopped".to_owned());
        let recorded = from.recv().unwrap_or(Err(stopped)).map_err(|why| Refused {
            error: match why {
                NotRecorded::NotListed => "not_listed",
                NotRecorded::Locked => "locked",
                NotRecorded::Changed => "changed",
                NotRecorded::NothingToUndo => "nothing_to_undo",
                NotRecorded::Already => "already",
                NotRecorded::NoteMissing => "note_missing",
                NotRecorded::Misfit(_) => "misfit",
                NotRecorded::Store(_) => "store",
            },
            why: why.to_string(),
        })?;
        Ok(json!({
            "ok": "confirmed",
            "fact": recorded.fact,
            "epoch": recorded.epoch,
            "seq": recorded.seq,
        }))
    }

    fn sign_in(&self, rest: &str) -> Result<Value, Refused> {
        let (member, pin) = rest.split_once(' ').ok_or_else(|| usage("sign-in MEMBER PIN"))?;
        let member = member.parse().map_err(|error: meguri_proto::IdError| usage(error.to_string()))?;
        let (to, from) = std::sync::mpsc::channel();
        self.handle.sign_in_then(member, pin.to_owned(), move |result| drop(to.send(result)));
        match from.recv().unwrap_or(Err(NotSignedIn::Busy)) {
            Ok(()) => Ok(json!({ "ok": "signed_in" })),
            Err(why) => Err(Refused {
                error: match why {
                    NotSignedIn::Wrong => "wrong",
                    NotSignedIn::Wait(_) => "wait",
                    NotSignedIn::Unknown => "unknown",
                    NotSignedIn::Busy => "busy",
                },
                why: why.to_string(),
            }),
        }
    }

    fn wait(&self, what: &str, seconds: &str, done: impl Fn(&View) -> bool) -> Result<Value, Refused> {
        let patience = match seconds {
            "" => PATIENCE,
            text => text
                .parse()
                .ok()
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                .ok_or_else(|| usage(format!("{text} is not a number of seconds")))?,
        };
        let mut view = self.handle.view();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|error| Refused { error: "wait", why: error.to_string() })?;
        let waited = runtime.block_on(async {
            tokio::time::timeout(patience, view.wait_for(|view| done(view))).await.map(|found| found.is_ok())
        });
        match waited {
            Ok(true) => Ok(json!({ "ok": what })),
            Ok(false) => Err(Refused { error: "stopped", why: "the terminal has stopped".to_owned() }),
            Err(_) => {
                let waiting = self.view().waiting;
                Err(Refused { error: "timeout", why: format!("{waiting} facts wait to be sent") })
            }
        }
    }
}

/// An item of `partly`; none where the word is none and the note begins.
fn item(word: &str) -> Option<Result<ItemResult, Refused>> {
    let (number, rest) = word.split_once('=')?;
    let number: u32 = number.parse().ok()?;
    let (count, reason) = match rest.split_once(':') {
        Some((count, reason)) => (count, Some(reason)),
        None => (rest, None),
    };
    let parsed = || -> Result<ItemResult, Refused> {
        let item = number.checked_sub(1).ok_or_else(|| usage("items count from 1"))?;
        let collected = count.parse().map_err(|_| usage(format!("{count} is not a count")))?;
        let reason = reason.map(|reason| reason.parse().map_err(usage)).transpose()?;
        Ok(ItemResult { item, collected, reason })
    };
    Some(parsed())
}

fn crew(view: &View) -> Value {
    let members: Vec<_> =
        view.crew.members.iter().map(|(id, name)| json!({ "id": id, "name": name })).collect();
    let (locked, signed_in) = (view.crew.locked, &view.crew.signed_in);
    json!({ "ok": "crew", "members": members, "locked": locked, "signed_in": signed_in, "erased": view.erased })
}

fn list(view: &View) -> Value {
    let stops = |stop: &Stop| {
        json!({
            "id": stop.id(),
            "order": stop.listed.order,
            "reception": stop.listed.reception,
            "items": stop.listed.items.iter().map(|item| item.count).collect::<Vec<_>>(),
            "state": stop.state,
            "own": stop.own.as_ref().map(|own| own.fact),
            "waiting": stop.waiting,
        })
    };
    let list = view.list.as_ref().map(|list| {
        json!({
            "date": list.date,
            "version": list.version,
            "stops": list.stops.iter().map(stops).collect::<Vec<_>>(),
        })
    });
    json!({ "ok": "list", "today": view.today, "list": list })
}
