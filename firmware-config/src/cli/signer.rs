//! Who signs: key files under their passphrases, or a program, behind which a hardware key may stand.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use clap::Args;
use meguri_config::ed25519::{PrivateKey, PublicKey};

use super::fault::Fault;
use super::hex;
use super::passphrase::Passphrases;
use super::private::Sealed;

/// Longest line of a program that signs.
const LINE_BYTES: u64 = 1024;
/// How long one that is told to end may take for it.
const END: Duration = Duration::from_secs(2);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(10);

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
    /// How long each of its answers may take, in seconds: as long as somebody needs to enter a PIN or touch a key.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, requires = "signer", value_parser = clap::value_parser!(u64).range(1..=600))]
    signer_patience: u64,
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
            let mut running = Running::start(program, Duration::from_secs(self.signer_patience))?;
            let wrong = |problem| format!("the public key of {} {problem}", program.display());
            let key: PublicKey = match &self.signer_key {
                Some(key) => key.parse().map_err(|problem| Fault::Misuse(wrong(problem)))?,
                None => running.ask("public")?.parse().map_err(|problem| Fault::refused(wrong(problem)))?,
            };
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
///
/// It is spoken with on a thread of its own: it may neither read nor answer, and is not waited for without end.
pub(super) struct Running {
    program: PathBuf,
    child: Child,
    /// Lines for it.
    asks: Option<Sender<String>>,
    /// Its answers, in the order of the lines.
    answers: Receiver<io::Result<String>>,
    /// How long one is waited for.
    patience: Duration,
}

impl Running {
    fn start(program: &Path, patience: Duration) -> Result<Self, Fault> {
        let failed = |problem: String| Fault::refused(format!("can't run {}: {problem}", program.display()));
        let child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| failed(error.to_string()))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("it has no stdin and stdout".to_owned()));
        };
        let ((asks, asked), (answer, answers)) = (channel(), channel());
        std::thread::spawn(move || speak(input, output, &asked, &answer));
        Ok(Self { program: program.to_owned(), child, asks: Some(asks), answers, patience })
    }

    fn ask(&mut self, line: &str) -> Result<String, Fault> {
        let failed = |problem: &str| Fault::refused(format!("{}: {problem}", self.program.display()));
        let over = || failed("is over");
        self.asks.as_ref().ok_or_else(over)?.send(line.to_owned()).map_err(|_| over())?;
        match self.answers.recv_timeout(self.patience) {
            Ok(answer) => answer.map_err(|error| failed(&error.to_string())),
            Err(RecvTimeoutError::Disconnected) => Err(over()),
            Err(RecvTimeoutError::Timeout) => {
                // It gets no more time to end, either.
                let _ = self.child.kill();
                Err(failed(&format!("gave no answer within {} seconds", self.patience.as_secs())))
            }
        }
    }
}

/// Hands lines to a program and its answers back, until nobody asks any more or it fails. Then its stdin is closed.
fn speak(
    mut input: ChildStdin,
    output: ChildStdout,
    asked: &Receiver<String>,
    answers: &Sender<io::Result<String>>,
) {
    let mut output = BufReader::new(output);
    let mut speak = |line: String| {
        writeln!(input, "{line}").and_then(|()| input.flush())?;
        let mut answer = String::new();
        io::Read::take(&mut output, LINE_BYTES).read_line(&mut answer)?;
        let ended = || io::Error::other("ended before it answered; what it says on stderr stands above");
        answer.strip_suffix('\n').map(|answer| answer.trim().to_owned()).ok_or_else(ended)
    };
    for line in asked {
        let answer = speak(line);
        let failed = answer.is_err();
        if answers.send(answer).is_err() || failed {
            return;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The end of its stdin tells it to end; it may have ended already.
        drop(self.asks.take());
        let until = Instant::now() + END;
        while Instant::now() < until {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(LOOK);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
