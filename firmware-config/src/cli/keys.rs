//! `meguri-config keys`: whose signatures count.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use jiff::{Timestamp, ToSpan as _};
use meguri_config::ed25519::PublicKey;
use meguri_config::fleet::CITY_FILE;
use meguri_config::keys::{KEYS_TYPE, Key, Role};
use meguri_config::{City, KeySet};
use meguri_proto::Digest;
use meguri_proto::clock::{business_date, midnight};
use serde::Serialize;

use super::fault::{Fault, at};
use super::folder::{KeyFolder, Signed, Waiting};
use super::passphrase::Passphrases;
use super::private::Fresh;
use super::signer::SignWith;
use super::{files, instant, out};

/// How many of a role have to sign where nothing else is said: no single person changes a city.
const THRESHOLD: u8 = 2;
/// How long a key set holds where nothing else is said: a year, and a month to be late.
const MONTHS: i64 = 13;

#[derive(Subcommand)]
pub(super) enum KeysCommand {
    /// Makes one private key's file and tells its public key: for whoever makes a key at another machine.
    New {
        /// Whose key it is; the file is NAME.key.
        name: String,
        /// The folder for the file.
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
        /// File whose first line is the passphrase. Without it it is asked.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Makes a city's first key set: keys/0001.json.
    Init {
        /// The folder of the city's plan.
        dir: PathBuf,
        /// Who signs key sets: NAME draws a new key, NAME=HEX takes a public key. May be given several times.
        #[arg(long, required = true, value_name = "NAME[=HEX]")]
        root: Vec<String>,
        /// Who signs configurations; the same NAME may stand in both roles.
        #[arg(long, required = true, value_name = "NAME[=HEX]")]
        config: Vec<String>,
        #[command(flatten)]
        next: Next,
    },
    /// Adds a key.
    Add {
        /// The folder of the city's plan.
        dir: PathBuf,
        /// Whose: NAME draws a new key, NAME=HEX takes a public key.
        #[arg(value_name = "NAME[=HEX]")]
        key: String,
        /// What it signs; may be given twice.
        #[arg(long, required = true)]
        role: Vec<RoleName>,
        #[command(flatten)]
        next: Next,
    },
    /// Makes the next key set: it holds for another year, and keys may be replaced.
    Rotate {
        /// The folder of the city's plan.
        dir: PathBuf,
        /// Whose key is replaced: NAME draws a new key, NAME=HEX takes a public key. May be given several times.
        #[arg(long, value_name = "NAME[=HEX]")]
        replace: Vec<String>,
        #[command(flatten)]
        next: Next,
    },
    /// Takes keys out: what they sign counts no more.
    Revoke {
        /// The folder of the city's plan.
        dir: PathBuf,
        /// Whose, by name or public key.
        #[arg(required = true, value_name = "KEY")]
        whose: Vec<String>,
        #[command(flatten)]
        next: Next,
    },
    /// Writes all key sets into one file, which lies beside a terminal's settings as keys.json before it ever hears from the office.
    Export {
        /// The folder of the city's plan.
        dir: PathBuf,
        /// The file.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

/// What every new key set needs.
#[derive(Args)]
pub(super) struct Next {
    /// How many of the root keys have to sign; 2, or as before.
    #[arg(long, value_name = "N")]
    root_threshold: Option<u8>,
    /// How many of the configuration keys have to sign; 2, or as before.
    #[arg(long, value_name = "N")]
    config_threshold: Option<u8>,
    /// Until when it holds, 13 months where nothing is said.
    #[arg(long, value_parser = instant::until, value_name = "DAY")]
    expires: Option<Timestamp>,
    /// The folder for files of new private keys: not the plan's, which others read.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    #[command(flatten)]
    with: SignWith,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RoleName {
    /// Key sets.
    Root,
    /// Configurations.
    Config,
}

pub(super) fn run(command: KeysCommand, json: bool) -> Result<ExitCode, Fault> {
    match command {
        KeysCommand::New { name, out, passphrase_file } => new(&name, &out, passphrase_file, json),
        KeysCommand::Init { dir, root, config, next } => init(&dir, &root, &config, &next, json),
        KeysCommand::Add { dir, key, role, next } => {
            change(&dir, &next, json, std::slice::from_ref(&key), |set, draw| {
                let public = draw.of(&key)?;
                let name = name_of(&key);
                if set.keys.iter().any(|key| key.name == name) {
                    return Err(Fault::refused(format!(
                        "{name} has a key already: `keys rotate --replace {name}`"
                    )));
                }
                set.keys.push(Key { public, name: name.to_owned() });
                for role in &role {
                    role_of(set, *role).keys.insert(public.id());
                }
                Ok(())
            })
        }
        KeysCommand::Rotate { dir, replace, next } => change(&dir, &next, json, &replace, |set, draw| {
            replace.iter().try_for_each(|key| replaced(set, key, draw))
        }),
        KeysCommand::Revoke { dir, whose, next } => {
            change(&dir, &next, json, &[], |set, _| whose.iter().try_for_each(|key| revoked(set, key)))
        }
        KeysCommand::Export { dir, output } => export(&dir, &output, json),
    }
}

fn new(name: &str, folder: &Path, passphrase: Option<PathBuf>, json: bool) -> Result<ExitCode, Fault> {
    let files = Vec::from_iter(passphrase);
    let path = key_path(folder, name)?;
    let fresh = Fresh::draw(name, Passphrases::new(&files, 1)?.anew(0, name)?)?;
    fresh.write(&path)?;
    let public = fresh.key().public();
    if json {
        out::json(&serde_json::json!({ "file": path, "name": name, "public": public }));
    } else {
        out::say(format!("wrote {} (private: its owner alone keeps it)", path.display()));
        out::say(format!("public key of {name}: {public}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn init(dir: &Path, root: &[String], config: &[String], next: &Next, json: bool) -> Result<ExitCode, Fault> {
    let city = City::read(&dir.join(CITY_FILE))?;
    let folder = KeyFolder::read(dir, &city.id)?;
    if folder.last.is_some() || folder.waiting.is_some() {
        let problem = "there are key sets already: `keys add`, `keys rotate` or `keys revoke` makes the next";
        return Err(Fault::refused(problem));
    }
    let mut draw = Draw::new(next, root.iter().chain(config))?;
    let mut set = KeySet {
        v: 1,
        city: city.id.clone(),
        version: 1,
        expires: next.expires.unwrap_or_else(in_a_year),
        keys: Vec::new(),
        root: Role { keys: BTreeSet::new(), threshold: THRESHOLD },
        config: Role { keys: BTreeSet::new(), threshold: THRESHOLD },
    };
    let roles = [(root, RoleName::Root), (config, RoleName::Config)];
    for (named, role) in roles.iter().flat_map(|(keys, role)| keys.iter().map(move |key| (key, *role))) {
        let name = name_of(named);
        let known = set.keys.iter().find(|key| key.name == name).map(|key| key.public);
        let public = match known {
            Some(public) if !named.contains('=') => public,
            Some(public) if draw.of(named)? == public => public,
            Some(_) => return Err(Fault::misuse(format!("{name} stands there with two public keys"))),
            None => {
                let public = draw.of(named)?;
                set.keys.push(Key { public, name: name.to_owned() });
                public
            }
        };
        role_of(&mut set, role).keys.insert(public.id());
    }
    finish(&folder, set, next, draw, json)
}

fn export(dir: &Path, output: &Path, json: bool) -> Result<ExitCode, Fault> {
    let city = City::read(&dir.join(CITY_FILE))?;
    let folder = KeyFolder::read(dir, &city.id)?;
    let version = folder.last()?.version;
    let text = serde_json::to_string(&folder.chain).map_err(|error| Fault::refused(error.to_string()))?;
    files::write(output, files::OPEN, format!("{text}\n").as_bytes())?;
    if json {
        out::json(&serde_json::json!({ "file": output, "version": version }));
    } else {
        out::say(format!("wrote {}: key sets 1 to {version}", output.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the set that follows the last one.
fn change(
    dir: &Path,
    next: &Next,
    json: bool,
    named: &[String],
    edit: impl FnOnce(&mut KeySet, &mut Draw<'_>) -> Result<(), Fault>,
) -> Result<ExitCode, Fault> {
    let city = City::read(&dir.join(CITY_FILE))?;
    let folder = KeyFolder::read(dir, &city.id)?;
    if let Some(waiting) = &folder.waiting {
        let path = waiting.path.display();
        return Err(Fault::refused(format!("{path} still waits for signatures: sign it, or delete it")));
    }
    let mut set = folder.last()?.clone();
    set.version += 1;
    set.expires = next.expires.unwrap_or_else(in_a_year);
    let mut draw = Draw::new(next, named)?;
    edit(&mut set, &mut draw)?;
    finish(&folder, set, next, draw, json)
}

/// Signs a new set by whoever is there, and writes it.
fn finish(
    folder: &KeyFolder,
    mut set: KeySet,
    next: &Next,
    draw: Draw<'_>,
    json: bool,
) -> Result<ExitCode, Fault> {
    set.root.threshold = next.root_threshold.unwrap_or(set.root.threshold);
    set.config.threshold = next.config_threshold.unwrap_or(set.config.threshold);
    let instead = "`keys rotate --replace NAME=HEX` puts a key in another's place in one step";
    set.check().map_err(|problem| Fault::refused(format!("{problem}; nothing was made. {instead}")))?;
    if set.expires <= Timestamp::now() {
        return Err(Fault::refused(format!(
            "the key set would be over since {}",
            instant::shown(set.expires)
        )));
    }
    let path = folder.file(set.version);
    let mut waiting = Waiting { path, envelope: set.envelope(), set };
    let before = folder.last.as_ref();
    let may = |key: &PublicKey| match waiting.may_sign(before, key) {
        true => Ok(()),
        false => Err(Fault::refused("this key is no root key of this set or the one before")),
    };
    let to_sign = waiting.envelope.to_sign(KEYS_TYPE)?;
    for mut signer in next.with.open(may)? {
        waiting.envelope.add(&signer.public(), &signer.sign(&to_sign)?);
    }
    // Whoever is in the root and was drawn just now is there, too.
    for key in draw.drawn.iter().map(|(_, fresh)| fresh.key()) {
        if waiting.may_sign(before, &key.public()) {
            waiting.envelope.sign(KEYS_TYPE, &key)?;
        }
    }
    waiting.still_read()?;
    if waiting.path.exists() {
        return Err(Fault::refused(format!("{} is there already; nothing was made", waiting.path.display())));
    }
    let private = draw.write()?;
    let made = std::fs::create_dir_all(waiting.path.parent().unwrap_or(Path::new("")));
    let made = made.map_err(at("make the folder of", &waiting.path)).and_then(|()| {
        files::create(&waiting.path, files::OPEN, format!("{}\n", waiting.envelope.to_json()).as_bytes())
    });
    if made.is_err() {
        forget(&private);
    }
    made?;
    report(&waiting, before, &private, json)?;
    Ok(ExitCode::SUCCESS)
}

/// What a key set's file has come to.
#[derive(Serialize)]
struct Report<'a> {
    file: &'a Path,
    version: u64,
    fingerprint: Digest,
    expires: Timestamp,
    complete: bool,
    signatures: Vec<Signed>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    private: &'a [PathBuf],
}

/// Tells what a key set's file has come to.
pub(super) fn report(
    waiting: &Waiting,
    before: Option<&KeySet>,
    private: &[PathBuf],
    json: bool,
) -> Result<(), Fault> {
    let signatures = waiting.signed(before)?;
    let complete = signatures.iter().all(Signed::is_enough);
    let (file, version, expires) = (waiting.path.as_path(), waiting.set.version, waiting.set.expires);
    let fingerprint = KeySet::fingerprint(waiting.envelope.to_json().as_bytes())?;
    if json {
        out::json(&Report { file, version, fingerprint, expires, complete, signatures, private });
        return Ok(());
    }
    for path in private {
        out::say(format!("wrote {} (private: its owner alone keeps it)", path.display()));
    }
    out::say(format!("wrote {}: key set {version}, until {}", file.display(), instant::shown(expires)));
    out::say(format!("  指紋 fingerprint {fingerprint}"));
    signatures.iter().for_each(|signed| out::say(format!("  {}", signed.line())));
    if !complete {
        out::say(format!("it waits for signatures: `meguri-config sign {} --key …`", file.display()));
    }
    Ok(())
}

/// A key set for people, line by line.
pub(super) fn lines(set: &KeySet, fingerprint: &Digest) -> Vec<String> {
    let until = instant::shown(set.expires);
    let mut lines = vec![
        format!("{} 鍵一覧 key set {}　期限 until {until}", set.city, set.version),
        format!("  指紋 fingerprint {fingerprint}"),
    ];
    lines.extend(listed(set).map(|key| format!("  {key}")));
    let signs = |role: &Role| format!("{} of {}", role.threshold, role.keys.len());
    lines.push(format!("  root: {}, config: {}", signs(&set.root), signs(&set.config)));
    lines
}

/// What a key set changes of the one before, line by line: whoever signs it looks at this first.
pub(super) fn changes(before: Option<&KeySet>, set: &KeySet) -> Vec<String> {
    let Some(before) = before else {
        return vec!["最初の鍵一覧 the first key set: it says whom the city believes from now on".to_owned()];
    };
    let version = before.version;
    let mut lines = vec![format!("鍵一覧 {version} から変わること / what changes from key set {version}:")];
    let (old, new): (BTreeSet<_>, BTreeSet<_>) = (listed(before).collect(), listed(set).collect());
    lines.extend(old.difference(&new).map(|key| format!("  - {key}")));
    lines.extend(new.difference(&old).map(|key| format!("  + {key}")));
    for (role, old, new) in [("root", &before.root, &set.root), ("config", &before.config, &set.config)] {
        if old.threshold != new.threshold {
            lines.push(format!("  {role}: 署名 {} → {} signatures", old.threshold, new.threshold));
        }
    }
    if lines.len() == 1 {
        lines.push("  期限だけ its end alone".to_owned());
    }
    lines
}

/// Its keys with what each of them signs.
fn listed(set: &KeySet) -> impl Iterator<Item = String> {
    set.keys.iter().map(|Key { public, name }| {
        let of = [(&set.root, "root"), (&set.config, "config")];
        let of = of.iter().filter(|(role, _)| role.keys.contains(&public.id()));
        let roles: Vec<_> = of.map(|(_, name)| *name).collect();
        format!("{public}  {name}  {}", roles.join(", "))
    })
}

fn replaced(set: &mut KeySet, named: &str, draw: &mut Draw<'_>) -> Result<(), Fault> {
    let name = name_of(named);
    let Some(index) = set.keys.iter().position(|key| key.name == name) else {
        return Err(Fault::refused(format!("the key set has no key of {name}")));
    };
    let (old, new) = (set.keys[index].public, draw.of(named)?);
    set.keys[index].public = new;
    for role in [&mut set.root, &mut set.config] {
        if role.keys.remove(&old.id()) {
            role.keys.insert(new.id());
        }
    }
    Ok(())
}

fn revoked(set: &mut KeySet, named: &str) -> Result<(), Fault> {
    let is = |key: &Key| key.name == named || key.public.to_string() == named;
    let Some(index) = set.keys.iter().position(is) else {
        return Err(Fault::refused(format!("the key set has no key of {named}")));
    };
    let id = set.keys.remove(index).public.id();
    for role in [&mut set.root, &mut set.config] {
        role.keys.remove(&id);
    }
    Ok(())
}

fn role_of(set: &mut KeySet, role: RoleName) -> &mut Role {
    match role {
        RoleName::Root => &mut set.root,
        RoleName::Config => &mut set.config,
    }
}

fn in_a_year() -> Timestamp {
    midnight(business_date(Timestamp::now()).saturating_add(MONTHS.months()))
}

/// Whose key: what stands before the equals sign.
fn name_of(named: &str) -> &str {
    named.split_once('=').map_or(named, |(name, _)| name)
}

/// Takes public keys as they are given, and draws those that are not. Their files are written at the end, when nothing else can be
/// wrong any more.
struct Draw<'a> {
    out: Option<&'a Path>,
    passphrases: Passphrases<'a>,
    drawn: Vec<(PathBuf, Fresh)>,
}

impl<'a> Draw<'a> {
    fn new<'n>(next: &'a Next, named: impl IntoIterator<Item = &'n String>) -> Result<Self, Fault> {
        let fresh: BTreeSet<_> = named.into_iter().filter(|named| !named.contains('=')).collect();
        let passphrases = Passphrases::new(next.with.passphrases(), fresh.len())?;
        Ok(Self { out: next.out.as_deref(), passphrases, drawn: Vec::new() })
    }

    fn of(&mut self, named: &str) -> Result<PublicKey, Fault> {
        if let Some((name, hex)) = named.split_once('=') {
            let parsed = hex.parse();
            return parsed.map_err(|problem| Fault::misuse(format!("the public key of {name} {problem}")));
        }
        let missing =
            || Fault::misuse(format!("{named} needs a new key: say by --out where its file is to be"));
        let path = key_path(self.out.ok_or_else(missing)?, named)?;
        let fresh = Fresh::draw(named, self.passphrases.anew(self.drawn.len(), named)?)?;
        let public = fresh.key().public();
        self.drawn.push((path, fresh));
        Ok(public)
    }

    /// Writes the files.
    fn write(&self) -> Result<Vec<PathBuf>, Fault> {
        let mut written = Vec::new();
        for (path, fresh) in &self.drawn {
            if let Err(fault) = fresh.write(path) {
                forget(&written);
                return Err(fault);
            }
            written.push(path.clone());
        }
        Ok(written)
    }
}

/// Removes keys that were drawn for a key set that was not made: they would stand in the way of the next try.
fn forget(private: &[PathBuf]) {
    for path in private {
        let _ = std::fs::remove_file(path);
    }
}

/// Where a new key's file is to be; it must not be there yet.
fn key_path(folder: &Path, name: &str) -> Result<PathBuf, Fault> {
    let plain = |c: char| !c.is_control() && !"/\\:*?\"<>|".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Err(Fault::misuse(format!("{name:?} can't be a file's name")));
    }
    if !folder.is_dir() {
        return Err(Fault::refused(format!("{} is no folder", folder.display())));
    }
    let path = folder.join(format!("{name}.key"));
    if path.exists() {
        return Err(Fault::refused(format!("{} is there already; nothing was made", path.display())));
    }
    Ok(path)
}
