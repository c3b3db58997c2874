//! Who the crew is: signing in with a PIN, waiting after wrong ones, and the lock of the screen.
//!
//! A PIN counts as wrong, on the disk, before it is looked at: so a power cut gains no tries. With nobody in the office's
//! list of crews nobody needs to sign in.

use std::collections::BTreeMap;
use std::time::Duration;

use meguri_proto::crew::PinLock;
use meguri_proto::{CrewId, DocumentName, Member};

use crate::core::{Core, Purpose};
use crate::event::Effect;
use crate::kept::{Contents, Op};
use crate::line::Line;
use crate::moment::Now;
use crate::view::Crew;

/// PINs that may be wrong in a row before there is a wait.
const FREE_TRIES: u32 = 4;
/// The first wait; it doubles with every wrong PIN after that.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// Documents that a right PIN has opened.
pub type Opened = BTreeMap<DocumentName, Contents>;

/// Why somebody could not sign in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSignedIn {
    /// The PIN is wrong.
    #[error("the PIN is wrong")]
    Wrong,
    /// Too many were wrong.
    #[error("too many PINs were wrong; wait {} s", .0.as_secs())]
    Wait(Duration),
    /// The office's list has no such member.
    #[error("the office's list has no such member")]
    Unknown,
    /// Another one is being looked at, or the terminal has stopped.
    #[error("the terminal is busy; try again")]
    Busy,
}

/// Who the crew is, as long as the program runs.
#[derive(Debug, Default)]
pub(crate) struct SignIn {
    /// Whether somebody must sign in first.
    locked: bool,
    /// Who has, last.
    who: Option<CrewId>,
    /// No PIN of theirs is looked at before; by the boot clock.
    wait_until: BTreeMap<CrewId, Duration>,
    /// Which try's PIN is being looked at.
    checking: Option<u64>,
}

impl SignIn {
    /// At a start of the program, with what was wrong before: waits start anew.
    pub(crate) fn start(needed: bool, pins_wrong: &BTreeMap<CrewId, u32>, now: Duration) -> Self {
        let wait_until =
            pins_wrong.iter().map(|(member, wrong)| (member.clone(), now + wait_after(*wrong))).collect();
        Self { locked: needed, wait_until, ..Self::default() }
    }

    /// Who has signed in, for what is recorded.
    pub(crate) fn who(&self) -> Option<&CrewId> {
        self.who.as_ref()
    }
}

/// How long nobody may try after so many wrong PINs in a row.
fn wait_after(wrong: u32) -> Duration {
    match wrong.checked_sub(FREE_TRIES) {
        None | Some(0) => Duration::ZERO,
        Some(over) => FIRST_WAIT.saturating_mul(1 << (over - 1).min(16)).min(LONGEST_WAIT),
    }
}

impl Core {
    /// Whether somebody must sign in before anything is shown or recorded.
    pub(crate) fn locked(&self) -> bool {
        self.sign_in.locked && !self.kept.crew().is_empty()
    }

    /// What this member's PIN opens, where the office's list has them.
    #[must_use]
    pub fn pin_lock(&self, member: &CrewId) -> Option<PinLock> {
        self.kept.crew().iter().find(|known| known.id == *member).map(|known| known.lock.clone())
    }

    pub(crate) fn view_crew(&self) -> Crew {
        let members = self.kept.crew();
        Crew {
            members: members.iter().map(|member| (member.id.clone(), member.name.clone())).collect(),
            locked: self.locked(),
            signed_in: self.sign_in.who.clone(),
        }
    }

    pub(crate) fn sign_in(&mut self, number: u64, member: CrewId, now: &mut Now, out: &mut Vec<Effect>) {
        let until = self.sign_in.wait_until.get(&member).copied().unwrap_or_default();
        let wait = until.saturating_sub(now.boot);
        let refused = if self.sign_in.checking.is_some() {
            Some(NotSignedIn::Busy)
        } else if !self.kept.crew().iter().any(|known| known.id == member) {
            Some(NotSignedIn::Unknown)
        } else if !wait.is_zero() {
            Some(NotSignedIn::Wait(wait))
        } else {
            None
        };
        if let Some(refused) = refused {
            out.push(Effect::SignedIn(number, Err(refused)));
            return;
        }
        self.sign_in.checking = Some(number);
        let wrong = self.kept.pins_wrong.get(&member).map_or(1, |wrong| wrong.saturating_add(1));
        self.begin(vec![Op::PinsWrong(member.clone(), wrong)], Purpose::CheckPin(number, member), now, out);
    }

    pub(crate) fn pin_checked(
        &mut self,
        number: u64,
        member: CrewId,
        opened: Option<Opened>,
        now: &mut Now,
        out: &mut Vec<Effect>,
    ) {
        if self.sign_in.checking != Some(number) {
            // The contract has become another one meanwhile, and with it the crew.
            out.push(Effect::SignedIn(number, Err(NotSignedIn::Unknown)));
            return;
        }
        self.sign_in.checking = None;
        let Some(opened) = opened else {
            let wait = wait_after(self.kept.pins_wrong.get(&member).copied().unwrap_or_default());
            self.sign_in.wait_until.insert(member, now.boot + wait);
            let why = if wait.is_zero() { NotSignedIn::Wrong } else { NotSignedIn::Wait(wait) };
            out.push(Effect::SignedIn(number, Err(why)));
            return;
        };
        for (name, contents) in opened {
            if let Some(held) = self.kept.documents.get_mut(&name) {
                held.contents = contents;
            }
        }
        self.kept.sealed = false;
        self.passed_over.clear();
        (self.sign_in.locked, self.sign_in.who) = (false, Some(member.clone()));
        self.changed = true;
        // What came while nothing could be sealed comes again.
        if let Line::Open(session) = &mut self.line {
            session.asked = true;
        }
        out.push(Effect::SignedIn(number, Ok(())));
        self.begin(vec![Op::PinsWrong(member, 0)], Purpose::Other, now, out);
    }

    /// The list of crews has changed from `before`: whoever signed in by a PIN that is no more signs in again, and nobody waits for one.
    pub(crate) fn crew_changed(&mut self, before: &[Member]) {
        let lock = |members: &[Member], id: &CrewId| {
            members.iter().find(|member| member.id == *id).map(|member| member.lock.clone())
        };
        let now = self.kept.crew();
        self.sign_in.wait_until.retain(|id, _| lock(before, id) == lock(now, id));
        if self.sign_in.who.as_ref().is_some_and(|who| lock(before, who) != lock(now, who)) {
            self.sign_in.locked = true;
        }
    }

    pub(crate) fn lock(&mut self) {
        if !self.kept.crew().is_empty() {
            (self.sign_in.locked, self.changed) = (true, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour() {
        let waits: Vec<u64> = (0..14).map(|wrong| wait_after(wrong).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
        assert_eq!(wait_after(u32::MAX), LONGEST_WAIT);
    }
}
