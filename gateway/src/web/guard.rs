//! What stands before every page: who may open it, and what a browser may do with it.

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::Response;

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

/// Refuses requests under other names, and adds what every answer carries.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let mut response = if is_local(request.uri(), request.headers()) {
        next.run(request).await
    } else {
        super::refuse(&Problem::Host, Lang::of_headers(request.headers()))
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Pages hold residents' data; assets say themselves how long they keep.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether the request names this machine as itself. A page elsewhere whose name was made to point here
/// (DNS rebinding) names itself.
fn is_local(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let host = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    let named = host.is_some_and(|host| is_loopback(&host));
    named && uri.authority().is_none_or(is_loopback)
}

fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host();
    !authority.as_str().contains('@')
        && (host.eq_ignore_ascii_case("localhost") || host == "127.0.0.1" || host == "[::1]")
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
            is_local(&uri.parse().unwrap(), &headers)
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
    }
}
