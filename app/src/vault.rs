//! The keys that seal a terminal's lists and notes in its store: each contract has its own, so that what a contract left
//! can be destroyed by destroying a few bytes.
//!
//! No key lies in plain beside what it seals. In the folder `keys`:
//! - `device`: a secret of this device. Where the settings name a second one elsewhere, such as a credential that a TPM
//!   opens, both are needed: the folder alone opens nothing then, and destroying the folder's is enough;
//! - `ID.key`: a contract's key, wrapped. The key of *notes* is wrapped by the device's secret, so that what a crew wrote goes
//!   out whether somebody has signed in or not. The key of *lists* is sealed to each member of the crew (HPKE, RFC 9180, with
//!   the device's secret as its preshared key): after a start only a right PIN opens it. Where no PINs are given it is
//!   wrapped as the other one is.
//!
//! A contract that is to come has its own crew, whom its lists are sealed to before anybody of them has signed in: for that their
//! public keys are enough. No PIN of the present crew opens them, and this program keeps no such key longer than it takes.
//!
//! What is sealed carries the id of its key, and is bound to what it is for (ChaCha20-Poly1305, RFC 8439).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, PskBundle, Serializable as _};
use meguri_proto::crew::PinKey;
use meguri_proto::{CrewId, Member};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::cut;

const FOLDER: &str = "keys";
const DEVICE: &str = "device";
const SUFFIX: &str = "key";
/// Of a file that is not written to its end.
const UNFINISHED: &str = "new";
/// Length of a key and of the device's secret.
const KEY: usize = 32;
/// Length of a nonce.
const NONCE: usize = 12;
/// Length of what stands before the sealed bytes: the key's id and the nonce.
const HEAD: usize = 16 + NONCE;
/// Ties wrapped keys to what they are.
const INFO: &[u8] = b"meguri terminal key 1";
/// Names the device's secret where it is a preshared key.
const PSK_ID: &[u8] = b"device";

/// Why a key can't be used or made.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// A file of it can't be used.
    #[error("can't {doing} {}: {source}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The device's secret is no secret.
    #[error("{} holds no secret: expected 64 hexadecimal digits", path.display())]
    Secret {
        /// The file.
        path: PathBuf,
    },
    /// Nobody has signed in.
    #[error("the key is sealed until somebody signs in")]
    Sealed,
    /// The library refused, which it does for no key and no length that are used here.
    #[error("the cryptography library refused to {0}")]
    Refused(&'static str),
}

/// Why something sealed can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// Its key is not open, and may be once somebody signs in.
    Sealed,
    /// Its key is gone, or it is not as it was written.
    Lost,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// Day lists.
    Lists,
    /// Notes of crews.
    Notes,
}

/// A key file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrapped {
    v: u64,
    r#use: Use,
    contract: String,
    /// By the device's secret: nonce and sealed key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    /// For each member: public key that it is sealed to, encapsulated key, sealed key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    crew: BTreeMap<CrewId, Slot>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Slot {
    to: meguri_proto::Digest,
    encapsulated: String,
    sealed: String,
}

/// A key, open or not.
struct Key {
    wrapped: Wrapped,
    plain: Option<[u8; KEY]>,
}

/// The keys of one terminal.
pub struct Vault {
    folder: PathBuf,
    /// Of the folder's secret, and of the one elsewhere if there is one.
    secret: [u8; KEY],
    /// The folder's secret: what was wrapped before there was one elsewhere opens by it alone.
    local: [u8; KEY],
    /// It stays as it is when everything is destroyed.
    elsewhere: Option<[u8; KEY]>,
    keys: BTreeMap<Uuid, Key>,
    members: Vec<Member>,
    /// The contracts to come, with whoever may sign in then.
    coming: BTreeMap<String, Vec<Member>>,
    /// Whether a PIN has to be typed before lists can be sealed and read.
    sealed: bool,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault")
            .field("folder", &self.folder)
            .field("sealed", &self.sealed)
            .finish_non_exhaustive()
    }
}

fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> VaultError {
    move |source| VaultError::File { doing, path: path.to_owned(), source }
}

impl Vault {
    /// The keys in the data folder `data`. `secret` is where a second secret of the device lies, if there is one. A key file
    /// that can't be read is passed over: what it sealed comes anew from the office.
    ///
    /// # Errors
    /// When the folder can't be used, or the second secret can't be read.
    pub fn open(data: &Path, secret: Option<&Path>) -> Result<Self, VaultError> {
        let folder = data.join(FOLDER);
        make_folder(&folder).map_err(file("make", &folder))?;
        let elsewhere = secret
            .map(|path| read_secret(path)?.ok_or_else(|| file("read", path)(io::ErrorKind::NotFound.into())));
        let (elsewhere, local) = (elsewhere.transpose()?, own_secret(&folder)?);
        let mut vault = Self {
            folder,
            secret: both(&local, elsewhere.as_ref())?,
            local,
            elsewhere,
            keys: BTreeMap::new(),
            members: Vec::new(),
            coming: BTreeMap::new(),
            sealed: false,
        };
        vault.destroy_unfinished()?;
        vault.read_keys()?;
        Ok(vault)
    }

    fn read_keys(&mut self) -> Result<(), VaultError> {
        let listed = fs::read_dir(&self.folder).map_err(file("read", &self.folder))?;
        for entry in listed {
            let path = entry.map_err(file("read", &self.folder))?.path();
            if path.extension().is_none_or(|suffix| suffix != SUFFIX) {
                continue;
            }
            let read = fs::read(&path).unwrap_or_default();
            if !read.is_empty() && read.iter().all(|byte| *byte == 0) {
                // It was being destroyed.
                destroy(&path)?;
                continue;
            }
            let wrapped = serde_json::from_slice::<Wrapped>(&read).ok();
            match (key_id(&path), wrapped) {
                (Some(id), Some(wrapped)) if wrapped.v == 1 => {
                    let plain = self.unwrap_by_device(id, &wrapped);
                    self.keys.insert(id, Key { wrapped, plain });
                }
                _ => {
                    tracing::error!(path = %path.display(), "a key file can't be read; what it sealed is lost")
                }
            }
        }
        Ok(())
    }

    /// Whether lists can be neither sealed nor read before somebody has signed in.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// At a start, and when another contract has come into force: whom the lists' keys are to be sealed to; none where that is not
    /// known. With anybody they are closed until one signs in, and with nobody what is sealed to those who were there before is lost.
    /// Those of contracts that are `over` stay closed for good.
    ///
    /// # Errors
    /// When a key file can't be written.
    pub fn begin(
        &mut self,
        members: Option<&[Member]>,
        coming: BTreeMap<String, Vec<Member>>,
        over: impl Fn(&str) -> bool,
    ) -> Result<(), VaultError> {
        self.coming = coming;
        for key in self.keys.values_mut() {
            if key.wrapped.r#use == Use::Lists && over(&key.wrapped.contract) {
                key.plain = None;
            }
        }
        self.set_members(members.unwrap_or_default())?;
        // Where the list of crews is lost, what is sealed to somebody waits for it: it opens for them alone.
        let closed = |key: &Key| {
            key.plain.is_none()
                && !key.wrapped.crew.is_empty()
                && !self.coming.contains_key(&key.wrapped.contract)
        };
        self.sealed = match members {
            Some(members) => !members.is_empty(),
            None => self.keys.values().any(closed),
        };
        if self.sealed {
            let coming = &self.coming;
            let present = |key: &&mut Key| !coming.contains_key(&key.wrapped.contract);
            for key in self.keys.values_mut().filter(|key| key.wrapped.r#use == Use::Lists).filter(present) {
                key.plain = None;
            }
        }
        Ok(())
    }

    /// The contracts to come have changed, or whoever may sign in then.
    ///
    /// # Errors
    /// When a key file can't be written.
    pub fn set_coming(&mut self, coming: BTreeMap<String, Vec<Member>>) -> Result<(), VaultError> {
        self.coming = coming;
        let members = std::mem::take(&mut self.members);
        self.set_members(&members)
    }

    fn members_of(&self, contract: &str) -> &[Member] {
        self.coming.get(contract).unwrap_or(&self.members)
    }

    /// Nobody has any business with what is sealed to those who are to come.
    fn forget_coming(&mut self) {
        for key in self.keys.values_mut().filter(|key| key.wrapped.r#use == Use::Lists) {
            if self.coming.contains_key(&key.wrapped.contract) && !key.wrapped.crew.is_empty() {
                key.plain = None;
            }
        }
    }

    /// The crew has changed: seals every key of lists that is open to whoever belongs to it now.
    ///
    /// # Errors
    /// When a key file can't be written.
    pub fn set_members(&mut self, members: &[Member]) -> Result<(), VaultError> {
        members.clone_into(&mut self.members);
        if members.is_empty() {
            self.sealed = false;
        }
        let mut keys = std::mem::take(&mut self.keys);
        let mut resealed = Ok(());
        for (id, key) in &mut keys {
            if let (Use::Lists, Some(plain)) = (key.wrapped.r#use, &key.plain)
                && !self.is_sealed_to_members(&key.wrapped)
            {
                let wrapped = self.wrap(*id, Use::Lists, &key.wrapped.contract, plain);
                resealed = wrapped.and_then(|wrapped| {
                    self.write(*id, &wrapped)?;
                    key.wrapped = wrapped;
                    Ok(())
                });
                if resealed.is_err() {
                    break;
                }
            }
        }
        self.keys = keys;
        self.forget_coming();
        resealed
    }

    /// Whether what was sealed opens for each of those who may sign in, now or once its contract has come.
    #[must_use]
    pub fn opens_for_all(&self, sealed: &[u8]) -> bool {
        let key = Self::key_of(sealed).and_then(|id| self.keys.get(&id));
        key.is_some_and(|key| self.is_sealed_to_members(&key.wrapped))
    }

    fn is_sealed_to_members(&self, wrapped: &Wrapped) -> bool {
        let members = self.members_of(&wrapped.contract);
        let to_each =
            |member: &Member| wrapped.crew.get(&member.id).is_some_and(|slot| slot.to == member.lock.key);
        wrapped.crew.len() == members.len()
            && members.iter().all(to_each)
            && wrapped.device.is_none() != members.is_empty()
    }

    /// Opens, with what a right PIN led to, every key that is sealed to this member.
    ///
    /// # Errors
    /// When a key file can't be written that is to be sealed to others, too.
    pub fn unseal(&mut self, member: &CrewId, pin: &PinKey) -> Result<(), VaultError> {
        let opened: Vec<_> = self
            .keys
            .iter()
            .filter(|(_, key)| key.plain.is_none() && !self.coming.contains_key(&key.wrapped.contract))
            .filter_map(|(id, key)| Some((*id, self.open_slot(*id, &key.wrapped, member, pin)?)))
            .collect();
        for (id, plain) in opened {
            if let Some(key) = self.keys.get_mut(&id) {
                key.plain = Some(plain);
            }
        }
        self.sealed = false;
        let members = std::mem::take(&mut self.members);
        self.set_members(&members)
    }

    /// Seals `plain`, which is a contract's and for `aad` alone.
    ///
    /// # Errors
    /// When nobody has signed in, or a new key can't be written.
    pub fn seal(
        &mut self,
        r#use: Use,
        contract: &str,
        aad: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        let coming = self.coming.contains_key(contract);
        if r#use == Use::Lists && self.sealed && !coming {
            return Err(VaultError::Sealed);
        }
        let mine = |key: &Key| key.wrapped.r#use == r#use && key.wrapped.contract == contract;
        let open = self.keys.iter().find_map(|(id, key)| Some((*id, key.plain.filter(|_| mine(key))?)));
        let (id, key) = match open {
            Some(open) => open,
            None => self.draw(r#use, contract)?,
        };
        let mut sealed = id.as_bytes().to_vec();
        sealed.extend(lock(&key, aad, plain)?);
        if coming {
            self.forget_coming();
        }
        Ok(sealed)
    }

    /// What [`seal`](Self::seal) sealed for `aad`.
    ///
    /// # Errors
    /// [`Unreadable`] says why not.
    pub fn read(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let id = Self::key_of(sealed).ok_or(Unreadable::Lost)?;
        let key = self.keys.get(&id).ok_or(Unreadable::Lost)?;
        match key.plain {
            Some(plain) => unlock(&plain, aad, &sealed[16..]).ok_or(Unreadable::Lost),
            None if self.sealed || self.coming.contains_key(&key.wrapped.contract) => Err(Unreadable::Sealed),
            None => Err(Unreadable::Lost),
        }
    }

    /// The keys of these contracts.
    #[must_use]
    pub fn keys_of(&self, contract: impl Fn(&str) -> bool) -> BTreeSet<Uuid> {
        let of = self.keys.iter().filter(|(_, key)| contract(&key.wrapped.contract));
        of.map(|(id, _)| *id).collect()
    }

    /// Destroys every key that nothing is sealed with any more.
    ///
    /// # Errors
    /// When a file can't be removed; the next try goes on.
    pub fn keep_only(&mut self, used: &BTreeSet<Uuid>) -> Result<(), VaultError> {
        let mut any = false;
        for entry in fs::read_dir(&self.folder).map_err(file("read", &self.folder))? {
            let path = entry.map_err(file("read", &self.folder))?.path();
            // Also one that a write has left that failed at its end: the folder counts, not what is known here.
            let unfinished = path.extension().is_some_and(|suffix| suffix == UNFINISHED);
            if unfinished || key_id(&path).is_some_and(|id| !used.contains(&id)) {
                destroy(&path)?;
                any = true;
            }
        }
        self.keys.retain(|id, _| used.contains(id));
        if any { sync(&self.folder).map_err(file("write", &self.folder)) } else { Ok(()) }
    }

    /// The key that something was sealed with.
    #[must_use]
    pub fn key_of(sealed: &[u8]) -> Option<Uuid> {
        if sealed.len() < HEAD { None } else { Uuid::from_slice(&sealed[..16]).ok() }
    }

    /// Destroys what a write that was cut off has left: it may hold a key whose file is destroyed since.
    fn destroy_unfinished(&self) -> Result<(), VaultError> {
        for entry in fs::read_dir(&self.folder).map_err(file("read", &self.folder))? {
            let path = entry.map_err(file("read", &self.folder))?.path();
            if path.extension().is_some_and(|suffix| suffix == UNFINISHED) {
                destroy(&path)?;
            }
        }
        Ok(())
    }

    /// Destroys all keys, and the device's secret with them: nothing that they sealed can ever be read again, by nobody.
    ///
    /// # Errors
    /// When a file can't be removed; what is left is destroyed by the next try.
    pub fn destroy_all(&mut self) -> Result<(), VaultError> {
        self.keys.clear();
        // Also those that could not be read.
        for entry in fs::read_dir(&self.folder).map_err(file("read", &self.folder))? {
            let path = entry.map_err(file("read", &self.folder))?.path();
            destroy(&path)?;
        }
        sync(&self.folder).map_err(file("write", &self.folder))?;
        self.local = own_secret(&self.folder)?;
        self.secret = both(&self.local, self.elsewhere.as_ref())?;
        self.members.clear();
        self.coming.clear();
        self.sealed = false;
        Ok(())
    }

    fn draw(&mut self, r#use: Use, contract: &str) -> Result<(Uuid, [u8; KEY]), VaultError> {
        let (id, plain) = (Uuid::new_v4(), rand::random::<[u8; KEY]>());
        let wrapped = self.wrap(id, r#use, contract, &plain)?;
        self.write(id, &wrapped)?;
        self.keys.insert(id, Key { wrapped, plain: Some(plain) });
        Ok((id, plain))
    }

    fn wrap(&self, id: Uuid, r#use: Use, contract: &str, plain: &[u8; KEY]) -> Result<Wrapped, VaultError> {
        let mut wrapped =
            Wrapped { v: 1, r#use, contract: contract.to_owned(), device: None, crew: BTreeMap::new() };
        let aad = bound_to(id, &wrapped);
        let members = self.members_of(contract);
        if r#use == Use::Notes || members.is_empty() {
            let sealed = lock(&wrapping_key(&self.secret)?, &aad, plain)?;
            wrapped.device = Some(meguri_proto::enrol::hex(&sealed));
            return Ok(wrapped);
        }
        let refused = |_| VaultError::Refused("seal a key to a member");
        for member in members {
            let to = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&member.lock.key.0);
            // A public key that is none: that member can't sign in, all others can.
            let Ok(to) = to else { continue };
            let psk = PskBundle::new(&self.secret, PSK_ID).map_err(refused)?;
            let sealed = hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeS::Psk(psk),
                &to,
                INFO,
                plain,
                &aad,
            );
            let Ok((encapsulated, sealed)) = sealed else { continue };
            let slot = Slot {
                to: member.lock.key,
                encapsulated: meguri_proto::enrol::hex(&encapsulated.to_bytes()),
                sealed: meguri_proto::enrol::hex(&sealed),
            };
            wrapped.crew.insert(member.id.clone(), slot);
        }
        Ok(wrapped)
    }

    fn unwrap_by_device(&self, id: Uuid, wrapped: &Wrapped) -> Option<[u8; KEY]> {
        let sealed = bytes(wrapped.device.as_ref()?)?;
        let by =
            |secret| unlock(&wrapping_key(secret).ok()?, &bound_to(id, wrapped), &sealed)?.try_into().ok();
        by(&self.secret).or_else(|| by(&self.local))
    }

    fn open_slot(&self, id: Uuid, wrapped: &Wrapped, member: &CrewId, pin: &PinKey) -> Option<[u8; KEY]> {
        let slot = wrapped.crew.get(member)?;
        let encapsulated =
            <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(&bytes(&slot.encapsulated)?).ok()?;
        let (sealed, aad) = (bytes(&slot.sealed)?, bound_to(id, wrapped));
        let by = |secret: &[u8; KEY]| {
            let psk = PskBundle::new(secret, PSK_ID).ok()?;
            let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeR::Psk(psk),
                pin,
                &encapsulated,
                INFO,
                &sealed,
                &aad,
            );
            opened.ok()?.try_into().ok()
        };
        by(&self.secret).or_else(|| by(&self.local))
    }

    fn path(&self, id: Uuid) -> PathBuf {
        self.folder.join(format!("{id}.{SUFFIX}"))
    }

    fn write(&self, id: Uuid, wrapped: &Wrapped) -> Result<(), VaultError> {
        let path = self.path(id);
        let text =
            serde_json::to_vec(wrapped).map_err(|error| file("write", &path)(io::Error::other(error)))?;
        write(&path, &text)
    }
}

/// Which key a file is of, by its name.
fn key_id(path: &Path) -> Option<Uuid> {
    path.extension().filter(|suffix| *suffix == SUFFIX)?;
    Uuid::parse_str(path.file_stem()?.to_str()?).ok()
}

/// What a wrapped key is bound to: it opens as nothing else.
fn bound_to(id: Uuid, wrapped: &Wrapped) -> Vec<u8> {
    let r#use: &[u8] = match wrapped.r#use {
        Use::Lists => b"lists",
        Use::Notes => b"notes",
    };
    [id.as_bytes(), r#use, b"\0", wrapped.contract.as_bytes()].concat()
}

/// Nonce and sealed bytes.
fn lock(key: &[u8; KEY], aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, VaultError> {
    let refused = |_| VaultError::Refused("seal");
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).map_err(refused)?);
    let nonce = rand::random::<[u8; NONCE]>();
    let mut sealed = plain.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed)
        .map_err(refused)?;
    Ok([&nonce[..], &sealed].concat())
}

fn unlock(key: &[u8; KEY], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).ok()?);
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut plain = sealed.to_vec();
    let length = key.open_in_place(nonce, Aad::from(aad), &mut plain).ok()?.len();
    plain.truncate(length);
    Some(plain)
}

/// The key that wraps keys, of a secret.
fn wrapping_key(secret: &[u8; KEY]) -> Result<[u8; KEY], VaultError> {
    derived(secret, &[], INFO)
}

/// The secret of the folder's and of the one elsewhere: neither alone leads to it.
fn both(local: &[u8; KEY], elsewhere: Option<&[u8; KEY]>) -> Result<[u8; KEY], VaultError> {
    elsewhere.map_or(Ok(*local), |elsewhere| derived(elsewhere, local, b"meguri terminal secret 1"))
}

/// HKDF (RFC 5869) with SHA-256.
fn derived(secret: &[u8; KEY], salt: &[u8], info: &[u8]) -> Result<[u8; KEY], VaultError> {
    let refused = |_| VaultError::Refused("derive a key");
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    let mut key = [0; KEY];
    let info = [info];
    let okm = prk.expand(&info, hkdf::HKDF_SHA256).map_err(refused)?;
    okm.fill(&mut key).map_err(refused)?;
    Ok(key)
}

/// The folder's secret; a new one where there is none yet. One that is damaged is put beside: it opens nothing any more.
fn own_secret(folder: &Path) -> Result<[u8; KEY], VaultError> {
    let path = folder.join(DEVICE);
    match read_secret(&path) {
        Ok(Some(secret)) => return Ok(secret),
        Ok(None) => {}
        Err(error) if !is_damage(&error) => return Err(error),
        Err(error) => {
            tracing::error!(%error, "what this device sealed is lost; a new secret is drawn");
            let beside = path.with_extension("bad");
            fs::rename(&path, &beside).map_err(file("set aside", &path))?;
        }
    }
    let secret = rand::random::<[u8; KEY]>();
    write(&path, meguri_proto::enrol::hex(&secret).as_bytes())?;
    Ok(secret)
}

/// Whether what is there is no secret, as against one that can't be read now.
fn is_damage(error: &VaultError) -> bool {
    use io::ErrorKind::{InvalidData, IsADirectory};
    match error {
        VaultError::File { source, .. } => matches!(source.kind(), InvalidData | IsADirectory),
        error => matches!(error, VaultError::Secret { .. }),
    }
}

fn read_secret(path: &Path) -> Result<Option<[u8; KEY]>, VaultError> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(file("read", path))?,
    };
    let secret = bytes(text.trim()).and_then(|bytes| bytes.try_into().ok());
    secret.map(Some).ok_or_else(|| VaultError::Secret { path: path.to_owned() })
}

/// Bytes of hexadecimal digits.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok().filter(|_| pair.len() == 2))
        .collect()
}

fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Writes a file for this user alone, whole or not at all.
fn write(path: &Path, text: &[u8]) -> Result<(), VaultError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let temporary = path.with_extension(UNFINISHED);
    let written = (|| {
        // What a key was wrapped with before must not stay readable on the disk.
        let old = match File::options().write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            old => Some(old?),
        };
        cut::here()?;
        let mut new = File::options().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        cut::here()?;
        new.write_all(text)?;
        new.sync_all()?;
        cut::here()?;
        fs::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), sync)?;
        old.map_or(Ok(()), overwrite)
    })();
    written.map_err(file("write", path))
}

/// Overwrites a file and removes it. What a disk may keep of it elsewhere is a wrapped key. An erasure destroys the secret that opens
/// it as well; at a switchover that stays, so old blocks of a flash disk open with the device's secret, unless a second one lies
/// elsewhere, as in a TPM.
fn destroy(path: &Path) -> Result<(), VaultError> {
    let destroyed = (|| {
        if fs::symlink_metadata(path)?.is_dir() {
            return fs::remove_dir_all(path);
        }
        overwrite(File::options().write(true).open(path)?)?;
        cut::here()?;
        fs::remove_file(path)
    })();
    match destroyed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done.map_err(file("destroy", path)),
    }
}

fn overwrite(mut file: File) -> io::Result<()> {
    cut::here()?;
    let length = file.metadata()?.len();
    file.write_all(&vec![0; usize::try_from(length).unwrap_or(0)])?;
    file.sync_all()
}

fn sync(folder: &Path) -> io::Result<()> {
    cut::here()?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
