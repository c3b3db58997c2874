//! Tests of the keys, with files as they lie on a device.
#![allow(clippy::unwrap_used)]

use meguri_proto::crew::PinLock;
use tempfile::TempDir;

use super::*;

const AAD: &[u8] = b"document";

fn member(id: &str, pin: &str) -> Member {
    let lock = PinLock::new(pin, rand::random()).unwrap();
    Member { id: id.parse().unwrap(), name: "甲".to_owned(), lock }
}

fn open(dir: &TempDir, members: &[Member]) -> Vault {
    let mut vault = Vault::open(dir.path(), None).unwrap();
    vault.begin(Some(members), BTreeMap::new(), |_| false).unwrap();
    vault
}

fn unseal(vault: &mut Vault, member: &Member, pin: &str) {
    let key = member.lock.open(pin).unwrap();
    vault.unseal(&member.id, &key).unwrap();
}

#[test]
fn what_is_sealed_opens_for_what_it_is_for_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut vault = open(&dir, &[]);
    let sealed = vault.seal(Use::Lists, "naka", AAD, b"address").unwrap();
    assert_eq!(vault.read(AAD, &sealed).unwrap(), b"address");
    assert_eq!(open(&dir, &[]).read(AAD, &sealed).unwrap(), b"address", "after a restart");
    assert_eq!(vault.read(b"another", &sealed), Err(Unreadable::Lost));
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(vault.read(AAD, &changed), Err(Unreadable::Lost), "{at}");
        assert_eq!(vault.read(AAD, &sealed[..at]), Err(Unreadable::Lost), "{at}");
    }
    let again = vault.seal(Use::Lists, "naka", AAD, b"address").unwrap();
    assert_ne!(again, sealed);
    assert_eq!(again[..16], sealed[..16], "one key for a contract's lists");
    for (other, contract) in [(Use::Lists, "minami"), (Use::Notes, "naka")] {
        assert_ne!(vault.seal(other, contract, AAD, b"x").unwrap()[..16], sealed[..16]);
    }
}

#[test]
fn after_a_start_lists_open_by_a_pin_alone_and_notes_without() {
    let dir = tempfile::tempdir().unwrap();
    let crew = [member("c-1", "273941"), member("c-2", "604182")];
    let mut vault = open(&dir, &[]);
    let list = vault.seal(Use::Lists, "naka", AAD, b"address").unwrap();
    let note = vault.seal(Use::Notes, "naka", AAD, b"words").unwrap();
    // The crew's PINs come while it runs.
    vault.set_members(&crew).unwrap();
    assert_eq!(vault.read(AAD, &list).unwrap(), b"address");
    for (who, pin) in [(0, "273941"), (1, "604182")] {
        let mut vault = open(&dir, &crew);
        assert!(vault.is_sealed());
        assert_eq!(vault.read(AAD, &list), Err(Unreadable::Sealed));
        assert!(matches!(vault.seal(Use::Lists, "naka", AAD, b"x"), Err(VaultError::Sealed)));
        assert_eq!(vault.read(AAD, &note).unwrap(), b"words");
        unseal(&mut vault, &crew[who], pin);
        assert_eq!(vault.read(AAD, &list).unwrap(), b"address");
    }
    // With all files in hand, and the program without its rules, nothing opens the lists.
    let bare = Vault::open(dir.path(), None).unwrap();
    assert_eq!(bare.read(AAD, &list), Err(Unreadable::Lost));
    // Another device's secret beside the same files, and the right PIN.
    fs::write(dir.path().join(FOLDER).join(DEVICE), "11".repeat(32)).unwrap();
    let mut other = open(&dir, &crew);
    unseal(&mut other, &crew[0], "273941");
    assert_eq!(other.read(AAD, &list), Err(Unreadable::Lost));
}

#[test]
fn a_cut_between_the_new_crew_and_its_keys_is_made_good_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let crew = [member("c-1", "273941")];
    let list = open(&dir, &[]).seal(Use::Lists, "naka", AAD, b"address").unwrap();
    // The list of crews is on the disk, the keys are not sealed to it.
    assert!(open(&dir, &crew).is_sealed());
    assert_eq!(Vault::open(dir.path(), None).unwrap().read(AAD, &list), Err(Unreadable::Lost), "sealed now");
    let mut vault = open(&dir, &crew);
    unseal(&mut vault, &crew[0], "273941");
    assert_eq!(vault.read(AAD, &list).unwrap(), b"address");
}

#[test]
fn who_joins_and_who_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (member("c-1", "273941"), member("c-2", "604182"));
    let mut vault = open(&dir, std::slice::from_ref(&old));
    unseal(&mut vault, &old, "273941");
    let list = vault.seal(Use::Lists, "naka", AAD, b"address").unwrap();
    // It is changed while nobody has signed in: who is new finds nothing that is sealed to them, and works on.
    let both = [old.clone(), new.clone()];
    let mut vault = open(&dir, &both);
    unseal(&mut vault, &new, "604182");
    assert_eq!(vault.read(AAD, &list), Err(Unreadable::Lost), "comes anew");
    let fresh = vault.seal(Use::Lists, "naka", AAD, b"anew").unwrap();
    // Who was there opens all, for all.
    let mut vault = open(&dir, &both);
    unseal(&mut vault, &old, "273941");
    assert_eq!(vault.read(AAD, &list).unwrap(), b"address");
    let mut vault = open(&dir, &both);
    unseal(&mut vault, &new, "604182");
    assert_eq!(vault.read(AAD, &list).unwrap(), b"address");
    // Who has left opens nothing, not even with the files of today.
    vault.set_members(std::slice::from_ref(&new)).unwrap();
    let mut vault = open(&dir, &both);
    unseal(&mut vault, &old, "273941");
    assert_eq!(
        (vault.read(AAD, &list), vault.read(AAD, &fresh)),
        (Err(Unreadable::Lost), Err(Unreadable::Lost))
    );
    // With nobody left, nobody needs to sign in.
    let mut vault = open(&dir, std::slice::from_ref(&new));
    unseal(&mut vault, &new, "604182");
    vault.set_members(&[]).unwrap();
    assert_eq!(open(&dir, &[]).read(AAD, &fresh).unwrap(), b"anew");
}

#[test]
fn what_is_destroyed_stays_so_also_for_who_kept_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut vault = open(&dir, &[]);
    let list = vault.seal(Use::Lists, "naka", AAD, b"address").unwrap();
    let note = vault.seal(Use::Notes, "naka", AAD, b"words").unwrap();
    // A thief has a copy of the key files, as a worn disk may.
    let kept: Vec<_> = fs::read_dir(dir.path().join(FOLDER))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    assert_eq!(kept.len(), 2);
    fs::write(dir.path().join(FOLDER).join("damaged.key"), "{").unwrap();
    vault.destroy_all().unwrap();
    assert_eq!(fs::read_dir(dir.path().join(FOLDER)).unwrap().count(), 1, "a new secret alone");
    for vault in [&vault, &open(&dir, &[])] {
        assert_eq!(vault.read(AAD, &list), Err(Unreadable::Lost));
        assert_eq!(vault.read(AAD, &note), Err(Unreadable::Lost));
    }
    for (path, bytes) in kept {
        fs::write(path, bytes).unwrap();
    }
    assert_eq!(open(&dir, &[]).read(AAD, &list), Err(Unreadable::Lost));
}

#[test]
fn bad_files_keep_nobody_from_working() {
    let dir = tempfile::tempdir().unwrap();
    let mut vault = open(&dir, &[]);
    let list = vault.seal(Use::Lists, "naka", AAD, b"address").unwrap();
    let path = vault.path(Vault::key_of(&list).unwrap());
    for bad in [&b"{"[..], b"", &[0xff, 0xfe], br#"{"v":2,"use":"lists","contract":"naka"}"#] {
        fs::write(&path, bad).unwrap();
        let mut vault = open(&dir, &[]);
        assert_eq!(vault.read(AAD, &list), Err(Unreadable::Lost));
        vault.seal(Use::Lists, "naka", AAD, b"anew").unwrap();
    }
    let unreadable = dir.path().join(FOLDER).join(format!("{}.key", Uuid::new_v4()));
    fs::create_dir(&unreadable).unwrap();
    open(&dir, &[]).seal(Use::Lists, "naka", AAD, b"anew").unwrap();
    open(&dir, &[]).destroy_all().unwrap();
    assert!(!unreadable.exists());
    // A damaged secret: what it opened is lost, and the terminal works on.
    let device = dir.path().join(FOLDER).join(DEVICE);
    for bad in [&b"no secret"[..], b"", &[0xff, 0xfe]] {
        let list = open(&dir, &[]).seal(Use::Lists, "naka", AAD, b"address").unwrap();
        fs::write(&device, bad).unwrap();
        let mut vault = open(&dir, &[]);
        assert_eq!(vault.read(AAD, &list), Err(Unreadable::Lost));
        let fresh = vault.seal(Use::Lists, "naka", AAD, b"anew").unwrap();
        assert_eq!(open(&dir, &[]).read(AAD, &fresh).unwrap(), b"anew");
        assert_eq!(fs::read(device.with_extension("bad")).unwrap(), bad, "put beside");
    }
    fs::write(dir.path().join("bad"), "no secret").unwrap();
    assert!(matches!(Vault::open(dir.path(), Some(&dir.path().join("bad"))), Err(VaultError::Secret { .. })));
    assert!(
        Vault::open(dir.path(), Some(&dir.path().join("absent"))).is_err(),
        "is not made where it was to be"
    );
}

#[test]
fn keys_are_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    open(&dir, &[]).seal(Use::Lists, "naka", AAD, b"address").unwrap();
    let folder = dir.path().join(FOLDER);
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    for file in fs::read_dir(folder).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_secret_elsewhere_is_needed_and_the_folder_s_alone_is_destroyed() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = dir.path().join("credential");
    fs::write(&elsewhere, "22".repeat(32)).unwrap();
    let crew = [member("c-1", "273941")];
    let with = || {
        let mut vault = Vault::open(dir.path(), Some(&elsewhere)).unwrap();
        vault.begin(Some(&crew), BTreeMap::new(), |_| false).unwrap();
        unseal(&mut vault, &crew[0], "273941");
        vault
    };
    // What was sealed before it was set opens still.
    let before = {
        let mut vault = open(&dir, &crew);
        unseal(&mut vault, &crew[0], "273941");
        vault.seal(Use::Lists, "minami", AAD, b"before").unwrap()
    };
    assert_eq!(with().read(AAD, &before).unwrap(), b"before");
    let mut vault = with();
    let list = vault.seal(Use::Lists, "naka", AAD, b"address").unwrap();
    let note = vault.seal(Use::Notes, "naka", AAD, b"words").unwrap();
    assert_eq!(with().read(AAD, &list).unwrap(), b"address");
    let mut without = open(&dir, &crew);
    unseal(&mut without, &crew[0], "273941");
    assert_eq!(without.read(AAD, &list), Err(Unreadable::Lost));
    assert_eq!(without.read(AAD, &note), Err(Unreadable::Lost));
    // Whoever kept the key files, and has the secret elsewhere, opens nothing after all is destroyed.
    let kept = [&list, &note].map(|sealed| {
        let path = vault.path(Vault::key_of(sealed).unwrap());
        (path.clone(), fs::read(path).unwrap())
    });
    vault.destroy_all().unwrap();
    for (path, bytes) in kept {
        fs::write(path, bytes).unwrap();
    }
    let vault = with();
    for sealed in [&list, &note] {
        assert_eq!(vault.read(AAD, sealed), Err(Unreadable::Lost));
    }
}

#[test]
fn a_member_s_key_that_is_none_keeps_nobody_else_out() {
    let dir = tempfile::tempdir().unwrap();
    let (good, mut bad) = (member("c-1", "273941"), member("c-2", "604182"));
    // A point of low order, which X25519 refuses.
    bad.lock.key = meguri_proto::Digest([0; 32]);
    let crew = [good.clone(), bad];
    let list = open(&dir, &[]).seal(Use::Lists, "naka", AAD, b"address").unwrap();
    open(&dir, &crew);
    let mut vault = open(&dir, &crew);
    unseal(&mut vault, &good, "273941");
    assert_eq!(vault.read(AAD, &list).unwrap(), b"address");
}

#[test]
fn keys_that_seal_nothing_any_more_go() {
    let dir = tempfile::tempdir().unwrap();
    let mut vault = open(&dir, &[]);
    let [old, new] = ["naka", "minami"].map(|c| vault.seal(Use::Lists, c, AAD, c.as_bytes()).unwrap());
    vault.keep_only(&[Vault::key_of(&new).unwrap()].into()).unwrap();
    for vault in [&vault, &open(&dir, &[])] {
        assert_eq!(vault.read(AAD, &old), Err(Unreadable::Lost));
        assert_eq!(vault.read(AAD, &new).unwrap(), b"minami");
    }
    assert!(!vault.path(Vault::key_of(&old).unwrap()).exists());
}

/// What is sealed for a contract to come: by public keys alone, and to nobody of now.
#[test]
fn what_is_to_come_is_sealed_to_those_who_are_to_come() {
    let dir = tempfile::tempdir().unwrap();
    let (now, next) = ([member("c-1", "273941")], [member("d-1", "604182")]);
    let coming = || BTreeMap::from([("next".to_owned(), next.to_vec())]);
    let mut vault = Vault::open(dir.path(), None).unwrap();
    vault.begin(Some(&now), coming(), |_| false).unwrap();
    assert!(vault.is_sealed(), "nobody has signed in");
    assert!(matches!(vault.seal(Use::Lists, "naka", AAD, b"address"), Err(VaultError::Sealed)));
    let ahead = vault.seal(Use::Lists, "next", AAD, b"address").unwrap();
    let again = vault.seal(Use::Lists, "next", AAD, b"address").unwrap();
    assert_ne!(again[..16], ahead[..16], "no key of it is kept open");
    assert_eq!(vault.read(AAD, &ahead), Err(Unreadable::Sealed));
    unseal(&mut vault, &now[0], "273941");
    assert_eq!(vault.read(AAD, &ahead), Err(Unreadable::Sealed), "not by a PIN of now");
    let today = vault.seal(Use::Lists, "naka", AAD, b"address").unwrap();
    // Somebody joins the crew that is to come after the list has: its key is sealed to them once it is there anew.
    let both = BTreeMap::from([("next".to_owned(), [next.to_vec(), vec![member("d-2", "918273")]].concat())]);
    vault.set_coming(both).unwrap();
    assert_eq!(vault.read(AAD, &ahead), Err(Unreadable::Sealed));
    // It comes into force.
    vault.begin(Some(&next), BTreeMap::new(), |contract| contract == "naka").unwrap();
    assert!(vault.is_sealed());
    unseal(&mut vault, &next[0], "604182");
    assert_eq!(vault.read(AAD, &ahead).unwrap(), b"address");
    assert_eq!(vault.read(AAD, &today), Err(Unreadable::Lost), "what is over opens for nobody");
    let mut vault = open(&dir, &next);
    unseal(&mut vault, &now[0], "273941");
    assert_eq!(
        vault.read(AAD, &again),
        Err(Unreadable::Lost),
        "nor does what is in force, for the crew before"
    );
}

/// A list that came before its crew was known is sealed to them once they are.
#[test]
fn a_list_that_came_before_its_crew_is_sealed_to_them_when_they_come() {
    let dir = tempfile::tempdir().unwrap();
    let next = [member("d-1", "604182")];
    let mut vault = Vault::open(dir.path(), None).unwrap();
    vault.begin(Some(&[]), BTreeMap::from([("next".to_owned(), Vec::new())]), |_| false).unwrap();
    let ahead = vault.seal(Use::Lists, "next", AAD, b"address").unwrap();
    let coming = BTreeMap::from([("next".to_owned(), next.to_vec())]);
    vault.set_coming(coming.clone()).unwrap();
    assert_eq!(vault.read(AAD, &ahead), Err(Unreadable::Sealed));
    let mut vault = Vault::open(dir.path(), None).unwrap();
    vault.begin(Some(&[]), coming, |_| false).unwrap();
    assert_eq!(vault.read(AAD, &ahead), Err(Unreadable::Sealed));
    vault.begin(Some(&next), BTreeMap::new(), |_| false).unwrap();
    unseal(&mut vault, &next[0], "604182");
    assert_eq!(vault.read(AAD, &ahead).unwrap(), b"address");
}

/// What a write that was cut off, or one that failed at its end, has left is destroyed with what is not used.
#[test]
fn no_key_is_left_that_a_cut_write_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join(FOLDER);
    let mut vault = open(&dir, &[]);
    vault.seal(Use::Lists, "naka", AAD, b"address").unwrap();
    let file = fs::read_dir(&keys).unwrap().flatten().find(|file| file.path().extension().is_some()).unwrap();
    let (unfinished, strange) =
        (file.path().with_extension("new"), keys.join(format!("{}.key", Uuid::from_u128(7))));
    let destroyed = keys.join(format!("{}.key", Uuid::from_u128(8)));
    for path in [&unfinished, &strange] {
        fs::copy(file.path(), path).unwrap();
    }
    vault.keep_only(&BTreeSet::new()).unwrap();
    assert_eq!(fs::read_dir(&keys).unwrap().count(), 1, "the device's secret alone");
    fs::write(&unfinished, "half a key").unwrap();
    fs::write(&destroyed, [0; 80]).unwrap();
    drop(open(&dir, &[]));
    assert_eq!(fs::read_dir(&keys).unwrap().count(), 1);
}

#[test]
fn what_came_ahead_for_a_crew_that_has_changed_opens_for_the_new_one_once_it_came_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (member("c-1", "273941"), member("c-2", "604182"));
    let coming = |members: &[Member]| BTreeMap::from([("minami".to_owned(), members.to_vec())]);
    let mut vault = Vault::open(dir.path(), None).unwrap();
    vault.begin(Some(&[]), coming(std::slice::from_ref(&old)), |_| false).unwrap();
    let list = vault.seal(Use::Lists, "minami", AAD, b"address").unwrap();
    assert!(vault.opens_for_all(&list));
    let both = [old, new.clone()];
    vault.set_coming(coming(&both)).unwrap();
    assert!(!vault.opens_for_all(&list), "so that it is asked for anew");
    let anew = vault.seal(Use::Lists, "minami", AAD, b"address").unwrap();
    assert!(vault.opens_for_all(&anew));
    vault.begin(Some(&both), BTreeMap::new(), |_| false).unwrap();
    unseal(&mut vault, &new, "604182");
    assert_eq!(
        (vault.read(AAD, &list), vault.read(AAD, &anew)),
        (Err(Unreadable::Lost), Ok(b"address".to_vec()))
    );
}

#[test]
fn a_contract_that_comes_without_a_crew_is_not_shut_by_what_was_sealed_to_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let crew = [member("c-1", "273941")];
    let coming = |members: &[Member]| BTreeMap::from([("minami".to_owned(), members.to_vec())]);
    let mut vault = Vault::open(dir.path(), None).unwrap();
    vault.begin(Some(&[]), coming(&crew), |_| false).unwrap();
    let list = vault.seal(Use::Lists, "minami", AAD, b"address").unwrap();
    vault.set_coming(coming(&[])).unwrap();
    vault.begin(Some(&[]), BTreeMap::new(), |_| false).unwrap();
    for mut vault in [vault, open(&dir, &[])] {
        assert!(!vault.is_sealed());
        assert_eq!(vault.read(AAD, &list), Err(Unreadable::Lost), "it comes anew");
        let anew = vault.seal(Use::Lists, "minami", AAD, b"anew").unwrap();
        assert_eq!(vault.read(AAD, &anew).unwrap(), b"anew");
    }
    // Where the list of crews is lost, it may open yet.
    let mut vault = Vault::open(dir.path(), None).unwrap();
    vault.begin(None, BTreeMap::new(), |_| false).unwrap();
    assert!(vault.is_sealed());
}
