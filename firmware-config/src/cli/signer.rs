//! Who signs: key files under their passphrases, or a program, behind which a hardware key may stand.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use clap::Args;
use meguri_config::ed25519::{PrivateKey, PublicKey};

use super::fault::Fault;
use super::hex;
use super::passphrase::Passphrases;
use super::private::Sealed;

/// Longest line of a program that signs.
const LINE_BYTES: u64 = 1024;

/// Who is to sign.
#[derive(Args, Default)]
pub(super) struct SignWith {
    /// A private key's file (NAME.key); may be given several times.
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// File whose first line is the passphrase: one for all keys, or one for each in their order. Without it they are asked.
    #[arg(long = "passphrase-file", value_name = "FILE")]
    passphrases: Vec<PathBuf>,
    /// A program that signs: for every line of hexadecimal digits on its stdin it answers a line with the signature's 128.
    #[arg(long, value_name = "PROGRAM")]
    signer: Option<PathBuf>,
    /// The public key of that program, 64 hexadecimal digits. Without it the program is asked by the line `public`.
    #[arg(long, value_name = "HEX", requires = "signer")]
    signer_key: Option<String>,
}

impl SignWith {
    /// Files of passphrases.
    pub(super) fn passphrases(&self) -> &[PathBuf] {
        &self.passphrases
    }

    /// Whether nobody is to sign.
    pub(super) fn is_nobody(&self) -> bool {
        self.keys.is_empty() && self.signer.is_none()
    }

    /// Opens the key files and starts the program. `may` says whether a key may sign at all, before its passphrase is asked.
    pub(super) fn open(&self, may: impl Fn(&PublicKey) -> Result<(), Fault>) -> Result<Vec<Signer>, Fault> {
        let passphrases = Passphrases::new(&self.passphrases, self.keys.len())?;
        let mut signers = Vec::new();
        for (index, path) in self.keys.iter().enumerate() {
            let sealed = Sealed::read(path)?;
            may(&sealed.public()).map_err(|fault| fault.within(path.display()))?;
            let key = sealed.open(&passphrases.of(index, sealed.name())?)?;
            signers.push(Signer::Key(key.public(), key));
        }
        if let Some(program) = &self.signer {
            let mut running = Running::start(program)?;
            let key = match &self.signer_key {
                Some(key) => key.clone(),
                None => running.ask("public")?,
            };
            let key: PublicKey = key.parse().map_err(|problem| {
                Fault::misuse(format!("the public key of {} {problem}", program.display()))
            })?;
            may(&key).map_err(|fault| fault.within(program.display()))?;
            signers.push(Signer::Program(key, running));
        }
        Ok(signers)
    }
}

/// Somebody who signs.
pub(super) enum Signer {
    /// A key in memory.
    Key(PublicKey, PrivateKey),
    /// A program.
    Program(PublicKey, Running),
}

impl Signer {
    /// Its public key.
    pub(super) fn public(&self) -> PublicKey {
        match self {
            Self::Key(public, _) | Self::Program(public, _) => *public,
        }
    }

    /// Signs exactly `message`. What a program answers is believed only where it is a signature.
    pub(super) fn sign(&mut self, message: &[u8]) -> Result<[u8; 64], Fault> {
        let (public, running) = match self {
            Self::Key(_, key) => return Ok(key.sign(message)),
            Self::Program(public, running) => (public, running),
        };
        let answer = running.ask(&hex::encode(message))?;
        let signature: Option<[u8; 64]> = hex::decode(&answer).and_then(|bytes| bytes.try_into().ok());
        match signature {
            Some(signature) if public.verifies(message, &signature) => Ok(signature),
            _ => {
                let answer: String = answer.chars().take(80).collect();
                let program = running.program.display();
                Err(Fault::refused(format!(
                    "{program} answered {answer:?}, which is no signature of key {public}"
                )))
            }
        }
    }
}

/// A program that signs, running: one for all that there is to sign, so that a hardware key's PIN is asked once.
pub(super) struct Running {
    program: PathBuf,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Running {
    fn start(program: &Path) -> Result<Self, Fault> {
        let failed = |problem: String| Fault::refused(format!("can't run {}: {problem}", program.display()));
        let child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| failed(error.to_string()))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let output = output.ok_or_else(|| failed("it has no stdout".to_owned()))?;
        Ok(Self { program: program.to_owned(), child, input, output: BufReader::new(output) })
    }

    fn ask(&mut self, line: &str) -> Result<String, Fault> {
        let failed = |problem: &str| Fault::refused(format!("{}: {problem}", self.program.display()));
        let input = self.input.as_mut().ok_or_else(|| failed("it is over"))?;
        writeln!(input, "{line}").and_then(|()| input.flush()).map_err(|error| failed(&error.to_string()))?;
        let mut answer = String::new();
        let read = std::io::Read::take(&mut self.output, LINE_BYTES).read_line(&mut answer);
        read.map_err(|error| failed(&error.to_string()))?;
        match answer.strip_suffix('\n') {
            Some(answer) => Ok(answer.trim().to_owned()),
            None => Err(failed("ended before it answered; what it says on stderr stands above")),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The end of its stdin tells it to end; it may have ended already.
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
