//! The life of a terminal's configuration (設定), as it outlives a restart: an explicit state machine whose every transition is
//! a fact in the same commit.
//!
//! - A bundle is `verified` when its signatures and rules hold, and takes the place of the one before. Its coming configurations
//!   are `staged`. What is not taken is `refused`, and told of once.
//! - A configuration is `activated` when its instant has surely come: contract, lists and keys are its own from then on, and
//!   never those of the one before again.
//! - Its line is on trial until the office answers on it. The address before is kept until then; where the trial fails it is
//!   `reverted` to. That is not for good: where the one before falls silent in its turn, both are tried again, and the one at which
//!   the office answers counts.
//! - It is `healthy` when the office has answered and all that is plugged in is there, and `degraded` while something is missing.
//!
//! Rules alone; `switchover` says when they are asked.

use jiff::Timestamp;
use meguri_config::bundle::{Connection, Whose};
use meguri_config::keys::KeyChain;
use meguri_config::{Bundle, Configuration, KeySet, Refused, Terminal};
use meguri_proto::{CityId, ConfigChange, ConfigState, ConfigWhy, ContractId, Digest};
use serde::{Deserialize, Serialize};

use crate::view::{Coming, ConfigView};

/// Refusals of which it is remembered that the office was told.
const TOLD_MOST: usize = 8;

/// What a terminal keeps of its configurations.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptConfig {
    /// Whose signatures count; none before the first set has come.
    pub keys: Option<KeySet>,
    /// The highest version ever accepted.
    pub version: u64,
    /// The contract in force, once a bundle was accepted; before, the terminal's own file says it.
    pub contract: Option<ContractId>,
    /// The bundle that was accepted last.
    pub held: Option<HeldBundle>,
    /// The configuration in force; none where no bundle's ever was.
    pub force: Option<InForce>,
    /// What was refused since a bundle was accepted last.
    pub refused: Option<Refusal>,
    /// The refusals that the office was told of, the newest last.
    pub told: Vec<(Digest, ConfigWhy)>,
}

/// The bundle that was accepted last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldBundle {
    /// SHA-256 of it as it came.
    pub digest: Digest,
    /// What it says.
    pub bundle: Bundle,
    /// Where in its schedule the configuration in force stands; none where that is of a bundle before.
    pub at: Option<usize>,
}

/// The configuration in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InForce {
    /// Its bundle's version.
    pub version: u64,
    /// Its bundle's digest.
    pub bundle: Digest,
    /// The configuration.
    pub configuration: Configuration,
    /// Whether the contract was another one before.
    pub switchover: bool,
    /// Where it has come to: activated, healthy, degraded or reverted.
    pub state: ConfigState,
    /// Why it is degraded or reverted, and more of that for people.
    pub why: Option<(ConfigWhy, String)>,
    /// How its line stands.
    pub line: LineState,
    /// The address to go back to; none for that of the terminal's own file.
    pub before: Option<Connection>,
    /// Whether the office has answered since it is in force.
    pub answered: bool,
}

/// How the line of the configuration in force stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineState {
    /// Nobody has answered there yet.
    Trial,
    /// The office has answered there.
    Proven,
    /// It did not do: the one before is used, unless that falls silent.
    Reverted,
}

/// Something signed that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// SHA-256 of it as it came.
    pub bundle: Digest,
    /// Why.
    pub why: ConfigWhy,
    /// More of why.
    pub detail: String,
}

/// What became of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Accepted,
    /// It is the one that is held.
    Held,
    Refused(ConfigWhy),
}

/// For whom, and at what time, a bundle is judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judging<'a> {
    /// The terminal's own file.
    pub(crate) own: &'a Terminal,
    /// The terminal's best time.
    pub(crate) now: Timestamp,
    /// What is surely over.
    pub(crate) certain: Option<Timestamp>,
}

/// What is seen of the configuration in force.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// Whether the office answers at the address that is in use.
    pub(crate) answers: bool,
    /// That its own address does not do, and why.
    pub(crate) failed: Option<(ConfigWhy, String)>,
    /// What is not plugged in; none before it was looked at.
    pub(crate) missing: Option<Option<String>>,
}

impl KeptConfig {
    /// The settings in force: the terminal's own file with what the configuration in force says.
    #[must_use]
    pub fn onto(&self, own: &Terminal) -> Terminal {
        let force = self.force.as_ref();
        force.map_or_else(|| own.clone(), |force| force.configuration.onto(own, force.version))
    }

    /// The configurations to come, by their instants.
    #[must_use]
    pub fn coming(&self) -> &[Configuration] {
        let Some(held) = &self.held else { return &[] };
        held.bundle.schedule.get(held.at.map_or(0, |at| at + 1)..).unwrap_or_default()
    }

    /// Whether a contract is one to come, whose lists nobody sees yet.
    #[must_use]
    pub fn is_coming(&self, contract: &ContractId) -> bool {
        self.contract.as_ref() != Some(contract)
            && self.coming().iter().any(|next| next.contract == *contract)
    }

    /// Whether anything of a contract may be held. Before a bundle was accepted that is not judged here.
    #[must_use]
    pub fn keeps(&self, contract: &ContractId) -> bool {
        self.contract.as_ref().is_none_or(|own| own == contract) || self.is_coming(contract)
    }

    /// Follows a chain of key sets; says whether the trusted one changed, and what is to be told.
    pub(crate) fn take_keys(
        &mut self,
        digest: Digest,
        sets: Result<Vec<&[u8]>, Refused>,
        city: &CityId,
        may_be_first: bool,
    ) -> Vec<ConfigChange> {
        let followed = sets.and_then(|sets| {
            if self.keys.is_none() && !may_be_first {
                let detail =
                    "this terminal holds no key set yet, and the first one comes from the office alone";
                return Err(Refused::new(ConfigWhy::NoKeys, detail));
            }
            KeySet::follow(self.keys.as_ref(), sets, city)
        });
        match followed {
            Ok(set) => {
                self.keys = set;
                Vec::new()
            }
            Err(refused) => self.refuse(digest, 0, refused),
        }
    }

    /// Judges a bundle as it came, and takes it over where every rule holds.
    pub(crate) fn take_bundle(&mut self, bytes: &[u8], by: Judging<'_>) -> (Taken, Vec<ConfigChange>) {
        let digest = Bundle::digest(bytes);
        if self.held.as_ref().is_some_and(|held| held.digest == digest) {
            self.refused = None;
            return (Taken::Held, Vec::new());
        }
        let whose = Whose { city: &by.own.city, terminal: &by.own.terminal, version: self.version };
        match Bundle::accept(bytes, self.keys.as_ref(), whose, by.now) {
            Ok(bundle) => (Taken::Accepted, self.accept(digest, bundle, by)),
            // Signed by others, too, or written otherwise: what it says is held, and its signatures are right.
            Err(refused)
                if refused.why == ConfigWhy::OldVersion
                    && claimed(bytes).is_some_and(|claimed| {
                        self.held.as_ref().is_some_and(|held| held.bundle == claimed)
                    }) =>
            {
                self.refused = None;
                (Taken::Held, Vec::new())
            }
            Err(refused) => {
                let why = refused.why;
                (
                    Taken::Refused(why),
                    self.refuse(digest, claimed(bytes).map_or(0, |bundle| bundle.version), refused),
                )
            }
        }
    }

    fn accept(&mut self, digest: Digest, bundle: Bundle, by: Judging<'_>) -> Vec<ConfigChange> {
        let version = bundle.version;
        self.version = version;
        self.contract.get_or_insert_with(|| by.own.contract.clone());
        self.refused = None;
        self.held = Some(HeldBundle { digest, bundle, at: None });
        let whole = |state| ConfigChange {
            version,
            bundle: digest,
            state,
            contract: None,
            effective_at: None,
            why: None,
            detail: String::new(),
        };
        let first = self.due(by.certain).map_or(0, |index| index + 1);
        let staged = self.coming().iter().skip(first).map(|next| ConfigChange {
            contract: Some(next.contract.clone()),
            effective_at: next.from,
            ..whole(ConfigState::Staged)
        });
        std::iter::once(whole(ConfigState::Verified)).chain(staged).collect()
    }

    /// Notes what is refused. The office is told once why.
    fn refuse(&mut self, bundle: Digest, version: u64, refused: Refused) -> Vec<ConfigChange> {
        let Refused { why, detail } = refused;
        self.refused = Some(Refusal { bundle, why, detail: detail.clone() });
        if self.told.contains(&(bundle, why)) {
            return Vec::new();
        }
        if self.told.len() >= TOLD_MOST {
            self.told.remove(0);
        }
        self.told.push((bundle, why));
        let (state, why) = (ConfigState::Refused, Some(why));
        vec![ConfigChange { version, bundle, state, contract: None, effective_at: None, why, detail }]
    }

    /// The place in the schedule of the configuration whose instant has surely come and that is not in force yet. Whatever
    /// was in force by an instant has shown that this one has come: nothing goes back.
    pub(crate) fn due(&self, certain: Option<Timestamp>) -> Option<usize> {
        let held = self.held.as_ref()?;
        let over = certain.max(self.force.as_ref().and_then(|force| force.configuration.from));
        let begun = |next: &Configuration| next.from.is_none_or(|from| over.is_some_and(|over| from <= over));
        held.bundle.schedule.iter().rposition(begun).filter(|index| held.at.is_none_or(|at| *index > at))
    }

    /// With a configuration of the schedule in force, and what is to be told. Its line is on trial where it is another one.
    pub(crate) fn activated(&self, index: usize, own: &Terminal) -> (Self, Vec<ConfigChange>) {
        let mut next = self.clone();
        let Some(held) = &mut next.held else { return (next, Vec::new()) };
        let Some(configuration) = held.bundle.schedule.get(index).cloned() else { return (next, Vec::new()) };
        held.at = Some(index);
        let before = match next.force.take() {
            Some(InForce { line: LineState::Proven, configuration, .. }) => Some(configuration.broker),
            Some(force) => force.before,
            None => None,
        };
        let same = before.clone().unwrap_or_else(|| own_connection(own)) == configuration.broker;
        let contract = next.contract.replace(configuration.contract.clone());
        let force = InForce {
            version: held.bundle.version,
            bundle: held.digest,
            switchover: contract.as_ref() != Some(&configuration.contract),
            configuration,
            state: ConfigState::Activated,
            why: None,
            line: if same { LineState::Proven } else { LineState::Trial },
            before,
            answered: false,
        };
        let change = force.change();
        next.force = Some(force);
        (next, vec![change])
    }

    /// What follows from what is seen of the configuration in force; none where that changes nothing.
    pub(crate) fn seen(&self, seen: &Seen) -> Option<(Self, Vec<ConfigChange>)> {
        let force = self.force.as_ref()?;
        let (mut line, mut answered) = (force.line, force.answered);
        let (mut state, mut why) = (force.state, force.why.clone());
        match (&seen.failed, line) {
            (_, LineState::Reverted) if !seen.answers => return None,
            (Some((broken, detail)), LineState::Trial) => {
                let Refused { why: broken, detail } = Refused::new(*broken, detail.clone());
                (line, state, why) = (LineState::Reverted, ConfigState::Reverted, Some((broken, detail)));
            }
            _ => {
                if seen.answers {
                    if line == LineState::Reverted {
                        (state, why) = (ConfigState::Activated, None);
                    }
                    (line, answered) = (LineState::Proven, true);
                }
                match &seen.missing {
                    None => {}
                    Some(Some(missing)) => {
                        let Refused { why: missing, detail } =
                            Refused::new(ConfigWhy::PeripheralMissing, missing.clone());
                        (state, why) = (ConfigState::Degraded, Some((missing, detail)));
                    }
                    Some(None) if answered => (state, why) = (ConfigState::Healthy, None),
                    Some(None) => (state, why) = (ConfigState::Activated, None),
                }
            }
        }
        let told = (state, &why) != (force.state, &force.why);
        if !told && (line, answered) == (force.line, force.answered) {
            return None;
        }
        let mut next = self.clone();
        let force = next.force.as_mut()?;
        (force.line, force.answered, force.state, force.why) = (line, answered, state, why);
        let changes = if told { vec![force.change()] } else { Vec::new() };
        Some((next, changes))
    }

    /// The address to connect to. Until its own is proven, that and the one before have their turns.
    pub(crate) fn connection(&self, own: &Terminal, by_before: bool) -> Connection {
        let Some(force) = &self.force else { return own_connection(own) };
        if force.line == LineState::Proven || !by_before {
            return force.configuration.broker.clone();
        }
        force.before.clone().unwrap_or_else(|| own_connection(own))
    }

    /// How the line of the configuration in force stands, where one is.
    pub(crate) fn line(&self) -> Option<LineState> {
        self.force.as_ref().map(|force| force.line)
    }

    /// Whether something signed that was not taken could be taken later: nobody has judged it, or its version is a newer one.
    pub(crate) fn may_take(&self, digest: Digest, bytes: &[u8]) -> bool {
        let judged = || self.told.iter().any(|(told, _)| *told == digest);
        claimed(bytes).map_or_else(|| !judged(), |bundle| bundle.version > self.version)
    }

    /// What a front shows of it.
    pub(crate) fn view(&self) -> ConfigView {
        let force = self.force.as_ref();
        let refused = self.refused.as_ref().map(|refused| (refused.why, refused.detail.clone()));
        let next = self.coming().first();
        let coming = next.and_then(|next| told(next, self.contract.as_ref() != Some(&next.contract)));
        ConfigView {
            version: force.map_or(0, |force| force.version),
            state: force.map(|force| force.state),
            why: force.and_then(|force| force.why.clone()).or(refused),
            coming,
            changed: force.and_then(|force| told(&force.configuration, force.switchover)),
            ..ConfigView::default()
        }
    }
}

impl InForce {
    fn change(&self) -> ConfigChange {
        ConfigChange {
            version: self.version,
            bundle: self.bundle,
            state: self.state,
            contract: Some(self.configuration.contract.clone()),
            effective_at: self.configuration.from,
            why: self.why.as_ref().map(|(why, _)| *why),
            detail: self.why.as_ref().map(|(_, detail)| detail.clone()).unwrap_or_default(),
        }
    }
}

fn told(configuration: &Configuration, switchover: bool) -> Option<Coming> {
    let Configuration { from, contractor_name, vehicle_name, round, .. } = configuration;
    Some(Coming {
        at: (*from)?,
        contractor: contractor_name.clone(),
        vehicle: vehicle_name.clone(),
        round: round.clone(),
        switchover,
    })
}

/// What a bundle says that nobody has verified: to name it, never to act upon.
fn claimed(bytes: &[u8]) -> Option<Bundle> {
    use meguri_config::bundle::{BUNDLE_BYTES, BUNDLE_TYPE};
    let envelope = meguri_config::dsse::Envelope::read(bytes, BUNDLE_BYTES).ok()?;
    Bundle::parse(&envelope.unverified(BUNDLE_TYPE).ok()?).ok()
}

/// The address in the terminal's own file.
pub(crate) fn own_connection(own: &Terminal) -> Connection {
    let broker = &own.broker;
    Connection {
        host: broker.host.clone(),
        port: broker.port,
        office: broker.office.clone(),
        authority: None,
    }
}

/// Reads the document `keys`.
///
/// # Errors
/// When it is none.
pub(crate) fn key_chain(body: &str) -> Result<KeyChain, Refused> {
    let malformed = |detail| Refused::new(ConfigWhy::Malformed, detail);
    let chain: KeyChain = serde_json::from_str(body)
        .map_err(|error| malformed(format!("the chain of key sets can't be read: {:?}", error.classify())))?;
    if chain.v != 1 {
        return Err(malformed(format!("the chain of key sets has shape {}, this program reads 1", chain.v)));
    }
    Ok(chain)
}
