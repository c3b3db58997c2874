//! Who may do what at a Mosquitto with dynamic security: what should stand there, and what differs. Pure.
//!
//! A name of that broker is a certificate's subject, so each certificate is a client of its own, and one that is not taken any
//! more is removed while the terminal goes on by the next. Mosquitto 2.0 does not ask its plugins whether a client
//! with a certificate may connect, and a client that is disabled there keeps its rights at its next connection: so who is kept out is removed,
//! which ends its connection, and whoever is unknown there may publish and subscribe to nothing.

use std::collections::{BTreeMap, BTreeSet};

use meguri_proto::{CityId, TerminalId, Topic};
use serde_json::{Value, json};

/// A right, or what is refused, of a role: its kind by the broker's word, the topic, and whether it is allowed.
pub(super) type Rule = (String, String, bool);

/// A client as it stands there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    /// Its roles.
    pub roles: BTreeSet<String>,
    /// Its groups, which may have roles, too.
    pub groups: BTreeSet<String>,
    /// Whether somebody has disabled it.
    pub disabled: bool,
}

/// What stands at the broker, or should.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// Roles by name.
    pub roles: BTreeMap<String, BTreeSet<Rule>>,
    /// Clients by name.
    pub clients: BTreeMap<String, Client>,
}

/// Something to be changed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Removes a client; a connection of it ends.
    Remove(String),
    /// Makes a role with these rules.
    MakeRole(String, BTreeSet<Rule>),
    /// Gives a role these rules.
    SetRole(String, BTreeSet<Rule>),
    /// Makes a client of this role, and of no other.
    Make(String, String),
    /// Gives a client this role, and no other.
    Set(String, String),
    /// Lets in a client that was disabled.
    Enable(String),
    /// Gives the office's own client its role.
    Grant(String, String),
    /// Removes a role.
    RemoveRole(String),
}

/// Whose roster it is: a city's, at a broker where the office has this name.
#[derive(Debug, Clone)]
pub struct Keeping {
    /// The city.
    pub city: CityId,
    /// The office's own client.
    pub office: String,
}

impl Keeping {
    fn office_role(&self) -> String {
        format!("meguri:{}:office", self.city)
    }

    fn role_of(&self, terminal: &TerminalId) -> String {
        format!("{}{terminal}", self.prefix())
    }

    /// What roles of terminals begin with. Neither city nor terminal can have a colon.
    fn prefix(&self) -> String {
        format!("meguri:{}:terminal:", self.city)
    }

    /// What should stand there: these certificates, by their subjects.
    #[must_use]
    pub fn wanted<'a>(&self, certificates: impl IntoIterator<Item = (&'a TerminalId, String)>) -> Roster {
        let allow = |kind: &str, topic: String| (kind.to_owned(), topic, true);
        let mut roster = Roster::default();
        let all = |topic: &str| Topic::office_filter(&self.city).replace("/up/#", topic);
        roster.roles.insert(
            self.office_role(),
            BTreeSet::from([
                allow("subscribePattern", all("/up/#")),
                allow("publishClientReceive", all("/up/#")),
                allow("publishClientSend", all("/down/#")),
            ]),
        );
        for (terminal, subject) in certificates {
            let (up, down) = (
                format!("{}#", Topic::publish_prefix(&self.city, terminal)),
                format!("{}#", Topic::subscribe_prefix(&self.city, terminal)),
            );
            let role = self.role_of(terminal);
            roster.roles.entry(role.clone()).or_insert_with(|| {
                BTreeSet::from([
                    allow("publishClientSend", up),
                    allow("subscribePattern", down.clone()),
                    allow("publishClientReceive", down),
                ])
            });
            roster.clients.entry(subject).or_default().roles.insert(role);
        }
        // One subject of two terminals would be let into both: it is let into none.
        roster.clients.retain(|_, client| client.roles.len() == 1);
        roster
    }

    /// What makes `held` what is `wanted`: who is kept out first, then what lets the office speak to terminals, for which a broker
    /// that is filled anew can take long. What is not of this city's terminals stays as it is.
    #[must_use]
    pub fn steps(&self, held: &Roster, wanted: &Roster) -> Vec<Step> {
        let prefix = self.prefix();
        let mut steps = Vec::new();
        let ours = |client: &Client| client.roles.iter().any(|role| role.starts_with(&prefix));
        for (name, client) in &held.clients {
            if *name != self.office && ours(client) && !wanted.clients.contains_key(name) {
                steps.push(Step::Remove(name.clone()));
            }
        }
        let office = self.office_role();
        let make = |(name, rules): (&String, &BTreeSet<Rule>)| match held.roles.get(name) {
            None => Some(Step::MakeRole(name.clone(), rules.clone())),
            Some(held) if held != rules => Some(Step::SetRole(name.clone(), rules.clone())),
            Some(_) => None,
        };
        steps.extend(wanted.roles.get_key_value(&office).and_then(make));
        if held.clients.get(&self.office).is_some_and(|client| !client.roles.contains(&office)) {
            steps.push(Step::Grant(self.office.clone(), office.clone()));
        }
        steps.extend(wanted.roles.iter().filter(|(name, _)| **name != office).filter_map(make));
        for (name, client) in wanted.clients.iter().filter(|(name, _)| **name != self.office) {
            let Some(role) = client.roles.first().cloned() else { continue };
            match held.clients.get(name) {
                None => steps.push(Step::Make(name.clone(), role)),
                Some(held) => {
                    if held.roles != client.roles || !held.groups.is_empty() {
                        steps.push(Step::Set(name.clone(), role));
                    }
                    if held.disabled {
                        steps.push(Step::Enable(name.clone()));
                    }
                }
            }
        }
        for name in held.roles.keys() {
            if name.starts_with(&prefix) && !wanted.roles.contains_key(name) {
                steps.push(Step::RemoveRole(name.clone()));
            }
        }
        steps
    }
}

impl Step {
    /// The command of the plugin's version 1.
    #[must_use]
    pub fn command(&self) -> Value {
        let acls = |rules: &BTreeSet<Rule>| -> Vec<Value> {
            let acl =
                |(kind, topic, allow): &Rule| json!({ "acltype": kind, "topic": topic, "allow": allow });
            rules.iter().map(acl).collect()
        };
        let roles = |role: &str| json!([{ "rolename": role }]);
        match self {
            Self::Remove(name) => json!({ "command": "deleteClient", "username": name }),
            Self::MakeRole(name, rules) => {
                json!({ "command": "createRole", "rolename": name, "acls": acls(rules) })
            }
            Self::SetRole(name, rules) => {
                json!({ "command": "modifyRole", "rolename": name, "acls": acls(rules) })
            }
            Self::Make(name, role) => {
                json!({ "command": "createClient", "username": name, "textname": role, "roles": roles(role) })
            }
            Self::Set(name, role) => {
                json!({ "command": "modifyClient", "username": name, "roles": roles(role), "groups": [] })
            }
            Self::Enable(name) => json!({ "command": "enableClient", "username": name }),
            Self::Grant(name, role) => {
                json!({ "command": "addClientRole", "username": name, "rolename": role })
            }
            Self::RemoveRole(name) => json!({ "command": "deleteRole", "rolename": name }),
        }
    }

    /// What it makes of what stands there.
    pub fn apply(&self, held: &mut Roster) {
        let only = |role: &String| Client { roles: BTreeSet::from([role.clone()]), ..Client::default() };
        match self {
            Self::Remove(name) => {
                held.clients.remove(name);
            }
            Self::MakeRole(name, rules) | Self::SetRole(name, rules) => {
                held.roles.insert(name.clone(), rules.clone());
            }
            Self::Make(name, role) => {
                held.clients.insert(name.clone(), only(role));
            }
            Self::Set(name, role) => {
                let disabled = held.clients.get(name).is_some_and(|client| client.disabled);
                held.clients.insert(name.clone(), Client { disabled, ..only(role) });
            }
            Self::Enable(name) => {
                held.clients.entry(name.clone()).or_default().disabled = false;
            }
            Self::Grant(name, role) => {
                held.clients.entry(name.clone()).or_default().roles.insert(role.clone());
            }
            Self::RemoveRole(name) => {
                held.roles.remove(name);
                held.clients.values_mut().for_each(|client| {
                    client.roles.remove(name);
                });
            }
        }
    }
}

impl Roster {
    /// Takes a page of the broker's answer to `listClients` or `listRoles`; says how many there are in all.
    pub fn take(&mut self, answer: &Value) -> Option<usize> {
        let data = answer.get("data")?;
        let names = |value: &Value, list: &str, name: &str| -> BTreeSet<String> {
            let list = value.get(list).and_then(Value::as_array);
            let name = |value: &Value| value.get(name).and_then(Value::as_str).map(str::to_owned);
            list.into_iter().flatten().filter_map(name).collect()
        };
        for client in data.get("clients").and_then(Value::as_array).into_iter().flatten() {
            let name = client.get("username").and_then(Value::as_str)?;
            let held = Client {
                roles: names(client, "roles", "rolename"),
                groups: names(client, "groups", "groupname"),
                disabled: client.get("disabled").and_then(Value::as_bool).unwrap_or(false),
            };
            self.clients.insert(name.to_owned(), held);
        }
        for role in data.get("roles").and_then(Value::as_array).into_iter().flatten() {
            let name = role.get("rolename").and_then(Value::as_str)?;
            let rules = role.get("acls").and_then(Value::as_array).into_iter().flatten();
            let rule = |acl: &Value| {
                let text = |key| acl.get(key).and_then(Value::as_str).map(str::to_owned);
                Some((text("acltype")?, text("topic")?, acl.get("allow").and_then(Value::as_bool)?))
            };
            self.roles.insert(name.to_owned(), rules.filter_map(rule).collect());
        }
        usize::try_from(data.get("totalCount")?.as_u64()?).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn keeping() -> Keeping {
        Keeping { city: "hiroshima".parse().unwrap(), office: "office".to_owned() }
    }

    fn id(n: u8) -> TerminalId {
        format!("t-{n}").parse().unwrap()
    }

    fn wanted(who: &[(u8, u8)]) -> Roster {
        let ids: Vec<(TerminalId, String)> =
            who.iter().map(|(t, c)| (id(*t), format!("serialNumber={c},CN=t-{t}"))).collect();
        keeping().wanted(ids.iter().map(|(t, c)| (t, c.clone())))
    }

    fn office() -> Client {
        Client { roles: BTreeSet::from(["admin".to_owned()]), ..Client::default() }
    }

    fn done(mut held: Roster, steps: &[Step]) -> Roster {
        steps.iter().for_each(|step| step.apply(&mut held));
        held
    }

    #[test]
    fn who_is_kept_out_goes_first_and_others_are_left_alone() {
        let (keeping, mut held) = (keeping(), Roster::default());
        held.clients.insert("office".to_owned(), office());
        held.clients.insert("scada".to_owned(), Client::default());
        held.roles.insert("pumps".to_owned(), BTreeSet::new());
        let before = wanted(&[(1, 1), (2, 1)]);
        held = done(held.clone(), &keeping.steps(&held, &before));
        assert_eq!(keeping.steps(&held, &before), [], "once is enough");
        assert!(held.clients["office"].roles.contains("meguri:hiroshima:office"));
        let after = wanted(&[(2, 1), (3, 1)]);
        let steps = keeping.steps(&held, &after);
        assert_eq!(steps[0], Step::Remove("serialNumber=1,CN=t-1".to_owned()));
        let held = done(held, &steps);
        assert!(held.clients.contains_key("scada") && held.roles.contains_key("pumps"));
        assert!(!held.roles.contains_key("meguri:hiroshima:terminal:t-1"));
    }

    #[test]
    fn what_somebody_changed_there_is_put_right() {
        let (keeping, wanted) = (keeping(), wanted(&[(1, 1), (2, 1)]));
        let mut held = done(Roster::default(), &keeping.steps(&Roster::default(), &wanted));
        held.clients.insert("office".to_owned(), office());
        let rule = ("subscribePattern".to_owned(), "#".to_owned(), true);
        held.roles.get_mut("meguri:hiroshima:terminal:t-1").unwrap().insert(rule);
        let client = held.clients.get_mut("serialNumber=1,CN=t-1").unwrap();
        (client.disabled, client.groups) = (true, BTreeSet::from(["everything".to_owned()]));
        let held = done(held.clone(), &keeping.steps(&held, &wanted));
        assert_eq!(
            held.roles["meguri:hiroshima:terminal:t-1"],
            wanted.roles["meguri:hiroshima:terminal:t-1"]
        );
        assert_eq!(held.clients["serialNumber=1,CN=t-1"], wanted.clients["serialNumber=1,CN=t-1"]);
    }

    #[test]
    fn the_office_may_speak_before_terminals_may_come_in() {
        let (keeping, mut held) = (keeping(), wanted(&[(1, 1)]));
        held.clients.insert("office".to_owned(), office());
        held.roles.remove("meguri:hiroshima:office");
        let steps = keeping.steps(&held, &wanted(&[(2, 1), (3, 1)]));
        assert!(matches!(&steps[0], Step::Remove(_)), "{steps:?}");
        assert!(
            matches!(&steps[1], Step::MakeRole(role, _) if role == "meguri:hiroshima:office"),
            "{steps:?}"
        );
        assert_eq!(steps[2], Step::Grant("office".to_owned(), "meguri:hiroshima:office".to_owned()));
    }

    #[test]
    fn one_subject_opens_no_two_terminals() {
        let (one, two) = (id(1), id(2));
        let same = || "CN=tablet".to_owned();
        assert!(keeping().wanted([(&one, same()), (&two, same())]).clients.is_empty());
    }

    #[test]
    fn the_brokers_answers_read() {
        let mut held = Roster::default();
        let clients = json!({ "command": "listClients", "data": { "totalCount": 7, "clients": [
            { "username": "CN=t-1", "disabled": true, "roles": [{ "rolename": "r", "priority": 1 }],
              "groups": [{ "groupname": "g" }] }] } });
        assert_eq!(held.take(&clients), Some(7));
        let roles = json!({ "data": { "totalCount": 1, "roles": [{ "rolename": "r", "acls": [
            { "acltype": "publishClientSend", "topic": "a/#", "priority": 0, "allow": false }] }] } });
        assert_eq!(held.take(&roles), Some(1));
        assert!(held.clients["CN=t-1"].disabled && held.clients["CN=t-1"].groups.contains("g"));
        assert!(held.roles["r"].contains(&("publishClientSend".to_owned(), "a/#".to_owned(), false)));
        assert_eq!(held.take(&json!({ "error": "no" })), None);
    }

    proptest! {
        /// Whatever stood there: after the steps all that is wanted stands there, nobody else of ours, and nothing is left to do.
        #[test]
        fn steps_lead_to_what_is_wanted(
            before in prop::collection::vec((0..6u8, 0..3u8), 0..12),
            lost in prop::collection::vec(any::<bool>(), 12),
            after in prop::collection::vec((0..6u8, 0..3u8), 0..12),
        ) {
            let (keeping, earlier, now) = (keeping(), wanted(&before), wanted(&after));
            let mut held = done(Roster::default(), &keeping.steps(&Roster::default(), &earlier));
            let mut each = lost.iter();
            held.clients.retain(|_, _| !each.next().copied().unwrap_or(false));
            held.clients.insert("office".to_owned(), office());
            let held = done(held.clone(), &keeping.steps(&held, &now));
            prop_assert_eq!(keeping.steps(&held, &now), vec![]);
            let mut left = held.clients;
            left.remove("office");
            prop_assert_eq!(left, now.clients);
            prop_assert_eq!(held.roles, now.roles);
        }
    }
}
