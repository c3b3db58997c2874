//! What stands before every page: who may open it, and what a browser may do with it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::Response;

use super::gate::OverTls;
use super::page::problem::Problem;
use super::text::Lang;

/// Pages load nothing from elsewhere, run no script but ours, and are framed by nobody.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(header::HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // With none at all, browsers would call our own forms' origin null.
    (header::REFERRER_POLICY, "same-origin"),
    (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Browsers come over TLS alone for two years after (RFC 6797).
const ONLY_TLS: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// Refuses requests under other names than this machine's own and `names`, those of its certificate, and adds what every
/// answer carries. With names the pages are served over TLS alone.
pub(super) async fn guard(State(names): State<Arc<[String]>>, mut request: Request, next: Next) -> Response {
    let tls = !names.is_empty();
    let mut response = if is_ours(request.uri(), request.headers(), &names) {
        if tls {
            request.extensions_mut().insert(OverTls);
        }
        next.run(request).await
    } else {
        super::refuse(&Problem::Host, Lang::of_headers(request.headers()))
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, ONLY_TLS);
    }
    // Pages hold residents' data; assets say themselves how long they keep.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether the request names this machine as itself, or by a name of its certificate. A page elsewhere whose name was made to point here
/// (DNS rebinding) names itself.
fn is_ours(uri: &Uri, headers: &HeaderMap, names: &[String]) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let host = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    let ours = |authority: &Authority| {
        let host = authority.host();
        let bare = host.trim_matches(['[', ']']);
        let local = host.eq_ignore_ascii_case("localhost") || host == "127.0.0.1" || host == "[::1]";
        !authority.as_str().contains('@')
            && (local || names.iter().any(|name| name.eq_ignore_ascii_case(bare)))
    };
    host.is_some_and(|host| ours(&host)) && uri.authority().is_none_or(ours)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_this_machines_own_names_are_answered() {
        let local = |uri: &str, hosts: &[&str]| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, host.parse().unwrap());
            }
            is_ours(&uri.parse().unwrap(), &headers, &[])
        };
        for good in ["localhost", "LOCALHOST:8650", "127.0.0.1", "127.0.0.1:8650", "[::1]:8650", "[::1]"] {
            assert!(local("/", &[good]), "{good}");
        }
        for bad in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com:8650",
            "localhost@example.com",
            "x@localhost",
        ] {
            assert!(!local("/", &[bad]), "{bad}");
        }
        assert!(!local("/", &[]));
        assert!(!local("/", &["localhost", "example.com"]));
        assert!(!local("http://example.com/", &["localhost"]));
        let named = |host: &str| {
            let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
            is_ours(
                &"/".parse().unwrap(),
                &headers,
                &["office.example".into(), "192.0.2.7".into(), "2001:db8::7".into()],
            )
        };
        for good in
            ["office.example", "Office.Example:8650", "192.0.2.7:8650", "[2001:db8::7]:8650", "127.0.0.1"]
        {
            assert!(named(good), "{good}");
        }
        for bad in ["example", "office.example.com", "x.office.example", "192.0.2.8", "x@office.example"] {
            assert!(!named(bad), "{bad}");
        }
    }
}
