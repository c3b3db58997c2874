//! A private key's file: its seed, sealed under a passphrase.
//!
//! Argon2id (RFC 9106) makes of the passphrase the key of a ChaCha20-Poly1305 (RFC 8439) seal over the 32 bytes of the seed.

use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use meguri_config::ed25519::{PrivateKey, PublicKey};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use super::fault::{Fault, at};
use super::{files, out};

/// Longest file.
const FILE_BYTES: usize = 4 * 1024;
/// RFC 9106, section 4, the second recommended option: 64 MiB, 3 passes, 4 lanes.
const COST: Cost = Cost { memory_kib: 64 * 1024, passes: 3, lanes: 4 };
/// No file makes this program take more: four times as much memory, about ten times as long. This program writes [`COST`] alone.
const COST_MOST: Cost = Cost { memory_kib: 256 * 1024, passes: 8, lanes: 8 };
/// The permissions of all but the owner.
const OTHERS: u32 = 0o077;
/// What is sealed with the seed, so that no other kind of file passes for a key.
const KIND: &str = "meguri private key v1";

/// What a guess costs.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// A private key's file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    /// Version of the file's shape, 1.
    v: u64,
    /// Whose it is.
    name: String,
    /// Its public half.
    public: PublicKey,
    /// The cost of Argon2id.
    argon2id: Cost,
    /// Its salt, base64.
    salt: String,
    /// Of ChaCha20-Poly1305, base64.
    nonce: String,
    /// The seed, base64.
    sealed: String,
}

/// A key that was drawn just now, and has no file yet.
pub(super) struct Fresh {
    name: String,
    seed: [u8; 32],
    passphrase: String,
}

impl Fresh {
    /// Draws a key.
    pub(super) fn draw(name: &str, passphrase: String) -> Result<Self, Fault> {
        let mut seed = [0; 32];
        random(&mut seed)?;
        Ok(Self { name: name.to_owned(), seed, passphrase })
    }

    /// The key.
    pub(super) fn key(&self) -> PrivateKey {
        PrivateKey::of_seed(&self.seed)
    }

    /// Writes its file, which must not be there yet.
    pub(super) fn write(&self, path: &Path) -> Result<(), Fault> {
        let (mut salt, mut nonce) = ([0; 16], [0; NONCE_LEN]);
        random(&mut salt)?;
        random(&mut nonce)?;
        let public = self.key().public();
        let mut sealed = self.seed.to_vec();
        let key = key_of(&self.passphrase, &salt, COST)?;
        // The key is of a salt drawn just now, so that it seals nothing else.
        let once = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(once, aad(&public), &mut sealed)
            .map_err(|_| Fault::refused("the key can't be sealed"))?;
        let file = KeyFile {
            v: 1,
            name: self.name.clone(),
            public,
            argon2id: COST,
            salt: STANDARD.encode(salt),
            nonce: STANDARD.encode(nonce),
            sealed: STANDARD.encode(sealed),
        };
        let text = serde_json::to_string_pretty(&file).map_err(|error| Fault::refused(error.to_string()))?;
        files::create(path, files::PRIVATE, format!("{text}\n").as_bytes())?;
        if mode_of(path)? & OTHERS != 0 {
            out::note(keeps_no_modes(path));
        }
        Ok(())
    }
}

/// Who may read it.
fn mode_of(path: &Path) -> Result<u32, Fault> {
    Ok(std::fs::metadata(path).map_err(at("read", path))?.permissions().mode() & 0o7777)
}

/// Sticks of FAT and exFAT know no owner.
fn keeps_no_modes(path: &Path) -> String {
    format!(
        "{}: what it lies on keeps no permissions, so that its passphrase alone protects it: lock the medium away",
        path.display()
    )
}

fn random(bytes: &mut [u8]) -> Result<(), Fault> {
    SystemRandom::new().fill(bytes).map_err(|_| Fault::refused("the system gives no random numbers"))
}

/// A key's file that was read, not opened yet.
pub(super) struct Sealed(KeyFile);

impl Sealed {
    /// Reads a key's file, which nobody else may read.
    pub(super) fn read(path: &Path) -> Result<Self, Fault> {
        let mode = mode_of(path)?;
        if mode & OTHERS != 0 {
            let open =
                format!("{} could be read by others than its owner (mode {mode:04o}).", path.display());
            let owner = std::fs::metadata(path).map_err(at("read", path))?.uid();
            match std::fs::set_permissions(path, Permissions::from_mode(files::PRIVATE)) {
                Ok(()) if mode_of(path)? & OTHERS == 0 => {
                    let problem = format!("{open} Now it can't be any more: ask who did, then sign again");
                    return Err(Fault::refused(problem));
                }
                // FAT lets not even its owner change it.
                Err(error)
                    if error.kind() != ErrorKind::ReadOnlyFilesystem && owner != geteuid().as_raw() =>
                {
                    return Err(Fault::refused(format!("{open} It is another one's: `chmod 600` it there")));
                }
                _ => out::note(keeps_no_modes(path)),
            }
        }
        let bytes = files::read(path, FILE_BYTES)?;
        let file: KeyFile = serde_json::from_slice(&bytes).map_err(|error| {
            Fault::refused(format!("{} is no file of a private key: {error}", path.display()))
        })?;
        if file.v != 1 {
            let problem = format!("{} has shape {}, this program reads 1", path.display(), file.v);
            return Err(Fault::refused(problem));
        }
        let Cost { memory_kib, passes, lanes } = file.argon2id;
        if memory_kib > COST_MOST.memory_kib || passes > COST_MOST.passes || lanes > COST_MOST.lanes {
            let problem = format!("{} demands more memory or time than this program gives", path.display());
            return Err(Fault::refused(problem));
        }
        Ok(Self(file))
    }

    /// Whose it is.
    pub(super) fn name(&self) -> &str {
        &self.0.name
    }

    /// Its public half, as the file says.
    pub(super) fn public(&self) -> PublicKey {
        self.0.public
    }

    /// Opens it.
    pub(super) fn open(&self, passphrase: &str) -> Result<PrivateKey, Fault> {
        let file = &self.0;
        let damaged = || Fault::refused(format!("the file of key {} is damaged", file.name));
        let decode = |text: &str| STANDARD.decode(text).map_err(|_| damaged());
        let nonce: [u8; NONCE_LEN] = decode(&file.nonce)?.try_into().map_err(|_| damaged())?;
        let mut sealed = decode(&file.sealed)?;
        let key = key_of(passphrase, &decode(&file.salt)?, file.argon2id)?;
        let opened = key.open_in_place(Nonce::assume_unique_for_key(nonce), aad(&file.public), &mut sealed);
        let wrong = |_| Fault::refused(format!("that is not the passphrase of key {}", file.name));
        let opened: &[u8] = opened.map_err(wrong)?;
        let seed: [u8; 32] = opened.try_into().map_err(|_| damaged())?;
        let key = PrivateKey::of_seed(&seed);
        if key.public() == file.public { Ok(key) } else { Err(damaged()) }
    }
}

fn aad(public: &PublicKey) -> Aad<Vec<u8>> {
    Aad::from([KIND.as_bytes(), &public.0].concat())
}

fn key_of(passphrase: &str, salt: &[u8], cost: Cost) -> Result<LessSafeKey, Fault> {
    let Cost { memory_kib, passes, lanes } = cost;
    let failed = |error: argon2::Error| Fault::refused(format!("the key's file can't be opened: {error}"));
    let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(failed)?;
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, &mut key)
        .map_err(failed)?;
    // 32 bytes are what the cipher takes.
    let key =
        UnboundKey::new(&CHACHA20_POLY1305, &key).map_err(|_| Fault::refused("the key can't be used"))?;
    Ok(LessSafeKey::new(key))
}
