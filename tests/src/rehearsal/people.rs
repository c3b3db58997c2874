//! The people of the city who are in charge of the switchover: what they build, sign, hand in, approve, push, withdraw and put right,
//! as `meguri-config` and the office's own commands do it.

use anyhow::{Context, ensure};
use jiff::SignedDuration;
use meguri_config::Bundle;
use meguri_gateway::people::Role;
use meguri_gateway::people::accounts::{self, New as NewPerson};
use meguri_gateway::people::password;
use meguri_gateway::switchover::steps::{self, New};
use meguri_gateway::switchover::{Kind, Rollout, Severity};

use super::Rehearsal;
use super::script::Step;
use super::signing::Keys;

/// Who drafts and who says yes.
const DRAFTS: &str = "kian";
const APPROVES: &str = "shonin";
/// For how long a release is accepted.
const ACCEPTED: SignedDuration = SignedDuration::from_hours(24 * 90);

/// What the people in charge remember.
pub(super) struct People {
    pub(super) keys: Keys,
    /// The switchovers so far, in order.
    pub(super) numbers: Vec<i64>,
}

/// Which release it is, which says its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Release {
    /// The switchover, with a contractor's name that is misspelt.
    Misspelt = 1,
    /// Without the switchover: what takes it back.
    Without = 2,
    /// The switchover as it is to be.
    Right = 3,
    /// The same with a correction that holds at once.
    Corrected = 4,
}

impl Rehearsal {
    /// Both get their accounts.
    pub(super) fn appoint(&mut self) -> anyhow::Result<()> {
        let now = self.world.now;
        // They come by the command line, not by the pages.
        let nobodys = password::none()?;
        self.world.office.work(move |tx, _| {
            for login in [DRAFTS, APPROVES] {
                let new = NewPerson {
                    login: login.to_owned(),
                    name: login.to_owned(),
                    role: Role::Administrator,
                    contractor: None,
                    password: nobodys.clone(),
                    must_change: false,
                };
                accounts::add(tx, now, &new)?;
            }
            Ok(())
        })
    }

    /// They do their next thing.
    pub(super) fn switchover(&mut self, step: Step) -> anyhow::Result<()> {
        match step {
            Step::Draft => self.draft(Release::Misspelt, Kind::Switchover),
            Step::Approve | Step::ApproveAgain => self.approve(),
            Step::Push | Step::PushAgain => self.push(Rollout::default()),
            Step::Withdraw => {
                let id = self.last()?;
                let now = self.world.now;
                self.world.office.work(move |tx, touched| Ok(steps::stop(tx, touched, now, DRAFTS, id)?))?;
                self.draft(Release::Without, Kind::Correction)
            }
            Step::Withdrawn => {
                self.approve()?;
                self.push(at_once())?;
                let (now, by) = (self.world.now, Release::Without as u64);
                let id = *self.people.numbers.first().context("there is one to be withdrawn")?;
                self.world
                    .office
                    .work(move |tx, touched| Ok(steps::withdraw(tx, touched, now, DRAFTS, id, Some(by))?))
            }
            Step::DraftAgain => self.draft(Release::Right, Kind::Switchover),
            Step::Fix => {
                self.people.keys.rotate(self.options.seed)?;
                self.draft(Release::Corrected, Kind::Correction)
            }
            Step::FixOut => {
                self.approve()?;
                self.push(at_once())
            }
        }?;
        let sent = self.world.office.settled()?;
        self.world.deliver(sent);
        Ok(())
    }

    fn last(&self) -> anyhow::Result<i64> {
        self.people.numbers.last().copied().context("nothing was drafted yet")
    }

    /// Builds and signs a release, hands it in, and makes a switchover of it that nothing stands in the way of.
    fn draft(&mut self, release: Release, kind: Kind) -> anyhow::Result<()> {
        let path = self.build(release)?;
        self.world.office.take_release(path)?;
        let (now, new) = (self.world.now, New { version: release as u64, name: None, kind: Some(kind) });
        let id = self.world.office.work(move |tx, touched| {
            let id = steps::draft(tx, touched, now, DRAFTS, &new)?;
            let found = steps::check(tx, touched, now, DRAFTS, id)?;
            let errors: Vec<_> = found.iter().filter(|found| found.severity == Severity::Error).collect();
            ensure!(
                errors.is_empty(),
                "the office finds what stands in the way of release {}: {errors:?}",
                new.version
            );
            Ok(id)
        })?;
        self.people.numbers.push(id);
        Ok(())
    }

    /// Somebody else says yes; whoever drafted it could not.
    fn approve(&mut self) -> anyhow::Result<()> {
        let (now, id) = (self.world.now, self.last()?);
        self.world.office.work(move |tx, touched| {
            let own = steps::approve(tx, touched, now, DRAFTS, id);
            ensure!(own.is_err(), "whoever drafted switchover {id} could approve it");
            Ok(steps::approve(tx, touched, now, APPROVES, id)?)
        })
    }

    fn push(&mut self, rollout: Rollout) -> anyhow::Result<()> {
        let (now, id) = (self.world.now, self.last()?);
        self.world
            .office
            .work(move |tx, touched| Ok(steps::push(tx, touched, now, DRAFTS, id, Some(&rollout))?))
    }

    /// Builds a release of every terminal's schedule as of now, and has two keys sign it.
    fn build(&self, release: Release) -> anyhow::Result<std::path::PathBuf> {
        let made_at = self.world.now;
        let bundles = (0..self.plan.seats.len()).map(|index| {
            let mut schedule = self.plan.schedule(index, made_at)?;
            match release {
                Release::Misspelt => {
                    for coming in schedule.iter_mut().skip(1) {
                        coming.contractor_name.push_str("（誤）");
                    }
                }
                Release::Without => schedule.truncate(1),
                Release::Right => {}
                // Crews asked for it: the screen locks later.
                Release::Corrected => schedule[0].screen.lock_minutes = 30,
            }
            let (city, terminal) = (self.plan.city.id.clone(), self.plan.seats[index].terminal.clone());
            let bundle = Bundle {
                v: 1,
                city,
                terminal,
                version: release as u64,
                made_at,
                expires: made_at + ACCEPTED,
                schedule,
            };
            bundle.check().context("a bundle can't be built")?;
            Ok(bundle)
        });
        let bundles: Vec<Bundle> = bundles.collect::<anyhow::Result<_>>()?;
        let path = self.folder.join(format!("{}.release", release as u64));
        let at = (release != Release::Without).then_some(self.plan.instant);
        self.people.keys.release(&path, "業者切替の予行", at, &bundles)?;
        Ok(path)
    }
}

/// All terminals at once.
fn at_once() -> Rollout {
    Rollout { groups: vec![100], ..Rollout::default() }
}
