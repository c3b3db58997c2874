//! Enrolment and renewal from the terminal's side.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use meguri_config::Terminal;
use meguri_proto::enrol::{Code, CodeError, EnrolReply, EnrolRequest, RenewReply, RenewRequest};
use meguri_proto::{Message as _, Nonce, TerminalId, WireError};
use uuid::Uuid;

use crate::identity::{Identity, IdentityError, write};
use crate::office::{self, AskError, Dates};

/// Why a terminal is not enrolled, or its certificate not renewed.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// What was scanned or typed is no code.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// What was typed names no office.
    #[error("the code alone does not say where the office is; give its address, or scan the picture")]
    NoOffice,
    /// The terminal is enrolled.
    #[error("{} is there: this terminal is enrolled; say --again where its certificate is over", path.display())]
    Enrolled {
        /// Its settings.
        path: PathBuf,
    },
    /// The code is for another terminal than this one was.
    #[error(
        "the code makes this terminal {to}, but it is {from}, and its record is that one's; ask for a code of {from}"
    )]
    OtherTerminal {
        /// What it is.
        from: TerminalId,
        /// What the code says.
        to: TerminalId,
    },
    /// The office can't be asked, or refuses.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The answer does not come from who knows the code.
    #[error("the answer does not come from the office that gave the code; nothing was taken from it")]
    Impostor,
    /// The answer can't be read.
    #[error("the office's answer can't be read: {0}")]
    Answer(#[from] WireError),
    /// The settings that came can't be used.
    #[error("the settings that the office sent can't be used: {0}")]
    Settings(#[from] meguri_config::ConfigError),
    /// Key or certificate can't be made, read or written.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// Where a terminal is to enrol, and by what code: as scanned (`https://host:port/#CODE`) or typed.
///
/// # Errors
/// When it is no code, or the office is named nowhere.
pub fn typed(text: &str, office: Option<&str>) -> Result<(String, Code), EnrolError> {
    let (scanned, code) = match text.rsplit_once('#') {
        Some((address, code)) => (Some(address.trim().trim_end_matches('/')), code),
        None => (None, text),
    };
    let code = code.parse()?;
    let office =
        scanned.or(office.map(str::trim)).filter(|office| !office.is_empty()).ok_or(EnrolError::NoOffice)?;
    let office = if office.contains("://") { office.to_owned() } else { format!("https://{office}") };
    Ok((office.trim_end_matches('/').to_owned(), code))
}

/// Enrols: makes the key, gets its certificate by the code, and writes the terminal's settings. What was cut goes on
/// where it is tried again with the same code. An enrolled terminal enrols only `again`, and stays the same one.
///
/// # Errors
/// When it is enrolled already, or the code is another terminal's, the office can't be asked or refuses, or something can't be written; then the terminal is
/// not enrolled.
pub async fn enrol(settings: &Path, office: &str, code: &Code, again: bool) -> Result<Terminal, EnrolError> {
    let before = settings.exists().then(|| Terminal::read(settings));
    if before.is_some() && !again {
        return Err(EnrolError::Enrolled { path: settings.to_owned() });
    }
    let folder = settings.parent().unwrap_or(Path::new(""));
    let mut identity = Identity::look(&folder.join("identity"))?;
    let csr = identity.ask()?;
    let nonce = Nonce(Uuid::new_v4());
    let tls = office::with_anybody().map_err(IdentityError::Tls)?;
    let ask = |channel: &_| {
        // It holds nothing that could pass a limit: this terminal made it.
        EnrolRequest::new(code, nonce, csr, channel).encode().unwrap_or_default()
    };
    let answer = office::post(office, "/enrol", tls, ask).await?;
    let reply = EnrolReply::decode(&answer)?;
    if !reply.is_of(code, &nonce) {
        return Err(EnrolError::Impostor);
    }
    let terminal = Terminal::parse(settings, &reply.settings)?;
    // Settings that can't be read any more say nothing against it: the store still knows whose it is.
    if let Some(Ok(before)) = before
        && before.terminal != terminal.terminal
    {
        return Err(EnrolError::OtherTerminal { from: before.terminal, to: terminal.terminal });
    }
    let before = std::fs::read_to_string(settings).unwrap_or_default();
    let kept = Terminal::keeping(&before, &reply.settings);
    // What could not be read before must not keep the terminal from enrolling.
    let text = if Terminal::parse(settings, &kept).is_ok() { kept } else { reply.settings };
    identity.certified(&reply.certificate, &reply.authority)?;
    // The settings last: with them the terminal is enrolled.
    write(settings, &text)?;
    identity.settle()?;
    let read = Terminal::read(settings)?;
    tracing::info!(terminal = %terminal.terminal, "enrolled");
    Ok(read)
}

/// Gets the next certificate with the key of the one in use.
///
/// # Errors
/// When the office can't be asked or refuses, or something can't be written; the one in use stays.
pub async fn renew(
    identity: &Mutex<Identity>,
    terminal: &TerminalId,
    office: &str,
    dates: &Dates,
) -> Result<(), EnrolError> {
    let held = || identity.lock().unwrap_or_else(PoisonError::into_inner);
    let (csr, tls) = {
        let mut identity = held();
        (identity.ask_anew()?, identity.visitor(dates)?)
    };
    let mut failed = None;
    let ask = |channel: &_| {
        let signed = held().sign(|serial| RenewRequest::signed(terminal, serial, &csr, channel));
        match signed {
            Ok((serial, signature)) => {
                let request = RenewRequest { v: 1, terminal: terminal.clone(), serial, csr, signature };
                request.encode().unwrap_or_default()
            }
            Err(error) => {
                failed = Some(error);
                Vec::new()
            }
        }
    };
    let answer = office::post(office, "/renew", tls, ask).await;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let reply = RenewReply::decode(&answer?)?;
    let mut identity = held();
    identity.certified(&reply.certificate, &reply.authority)?;
    identity.settle()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn office_and_code_are_scanned_or_typed() {
        let code: Code = "ABCD-EF01-2345-6789".parse().unwrap();
        let is = |text: &str, office: Option<&str>| typed(text, office).unwrap();
        let office = "https://office.example:8651";
        let good = (office.to_owned(), code);
        assert_eq!(is("https://office.example:8651/#ABCD-EF01-2345-6789", None), good);
        assert_eq!(is("abcd ef01 2345 6789", Some("office.example:8651")), good);
        assert_eq!(is("abcd ef01 2345 6789", Some(" https://office.example:8651/ ")), good);
        assert!(matches!(typed("ABCD-EF01-2345-6789", None), Err(EnrolError::NoOffice)));
        assert!(matches!(typed("ABCD-EF01-2345-6789", Some("")), Err(EnrolError::NoOffice)));
        assert!(matches!(typed("https://office.example/#", None), Err(EnrolError::Code(_))));
    }
}
