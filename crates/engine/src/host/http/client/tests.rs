// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / client tests: a peer that says what the test wants it to say.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use golem_model::trace::TraceContext;

use super::*;

/// A peer that answers every connection with `answer` and closes it; gives back what it was asked.
async fn peer(answer: Vec<u8>) -> (SocketAddr, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        let mut chunk = [0; 1024];
        while !String::from_utf8_lossy(&asked).contains("the end") {
            let count = stream.read(&mut chunk).await.unwrap();
            if count == 0 {
                break;
            }
            asked.extend_from_slice(&chunk[..count]);
        }
        stream.write_all(&answer).await.unwrap();
        String::from_utf8(asked).unwrap()
    });
    (address, task)
}

/// The whole response. Errors: that of its head or of any of its pieces.
async fn whole(ruled: Ruled, request: Request) -> Result<HttpResponse, Trouble> {
    let (head, mut pieces) = ruled.client.send(&ruled.network, request).await?;
    let mut body = Vec::new();
    loop {
        match pieces.next().await? {
            Piece::Data(data) => body.extend_from_slice(&data),
            Piece::End(trailers) => {
                return Ok(HttpResponse {
                    status: head.status,
                    headers: head.headers,
                    body,
                    trailers,
                });
            }
        }
    }
}

/// A client with one rule.
struct Ruled {
    client: HttpClient,
    network: Network,
}

fn client(rule: &str) -> Ruled {
    Ruled {
        client: HttpClient::new(),
        network: Network::new(vec![rule.parse().unwrap()]),
    }
}

fn request(host: &str, port: u16) -> Request {
    Request {
        method: "POST".into(),
        https: false,
        host: host.into(),
        port,
        authority: format!("{host}:{port}"),
        path: "/x?y=1".into(),
        headers: vec![
            ("x-a".into(), b"1".to_vec()),
            ("content-length".into(), b"999".to_vec()),
        ],
        body: b"body until the end".to_vec(),
        timeouts: Timeouts {
            first_byte: Some(Duration::from_secs(5)),
            ..Timeouts::default()
        },
        trace: None,
    }
}

#[tokio::test]
async fn a_request_goes_out_and_the_whole_response_comes_back() {
    let answer = b"HTTP/1.1 203 Some\r\nX-B: 2\r\ntransfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nx-t: 3\r\n\r\n";
    let (address, asked) = peer(answer.to_vec()).await;
    let response = whole(client("127.0.0.1"), request("127.0.0.1", address.port()))
        .await
        .unwrap();
    assert_eq!(response.status, 203);
    assert_eq!(response.body, b"abcde");
    let named = |headers: &[Header], name: &str| {
        headers
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.clone())
    };
    assert_eq!(named(&response.headers, "x-b"), Some(b"2".to_vec()));
    assert_eq!(named(&response.headers, "transfer-encoding"), None);
    assert_eq!(
        named(&response.trailers.unwrap(), "x-t"),
        Some(b"3".to_vec())
    );
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("POST /x?y=1 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("content-length: 18\r\n"), "{asked}");
    assert!(!asked.contains("999"), "{asked}");
    assert!(asked.contains(&format!("host: {address}\r\n")), "{asked}");
}

#[tokio::test]
async fn what_goes_wrong_has_a_name() {
    for (answer, trouble) in [
        (&b""[..], Trouble::Incomplete),
        (b"this is not http\r\n\r\n", Trouble::Protocol),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
            Trouble::Incomplete,
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\nabc",
            Trouble::Incomplete,
        ),
    ] {
        let (address, _asked) = peer(answer.to_vec()).await;
        let result = whole(client("127.0.0.1"), request("127.0.0.1", address.port())).await;
        assert_eq!(result.unwrap_err(), trouble);
    }
    // A port on which nobody listens: the one of a listener that is gone.
    let (address, asked) = peer(Vec::new()).await;
    asked.abort();
    assert!(asked.await.is_err());
    let result = whole(client("127.0.0.1"), request("127.0.0.1", address.port())).await;
    assert_eq!(result.unwrap_err(), Trouble::Refused);
}

#[tokio::test]
async fn a_request_of_a_trace_says_so_unless_the_guest_does() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let context = TraceContext::from_headers(parent, Some("a=1")).unwrap();
    let trace = CallTrace::new(&context, "the key of the call", 0);
    let said = format!("traceparent: {}\r\n", trace.context.traceparent().unwrap());
    for own in [None, Some("00-own")] {
        let (address, asked) = peer(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
        let mut request = request("127.0.0.1", address.port());
        request.trace = Some(trace.clone());
        let header = |own: &str| ("traceparent".to_owned(), own.as_bytes().to_vec());
        request.headers.extend(own.map(header));
        let kept = request.to_value();
        whole(client("127.0.0.1"), request.clone()).await.unwrap();
        let asked = asked.await.unwrap();
        assert_eq!(asked.contains(&said), own.is_none(), "{asked}");
        assert_eq!(
            asked.contains("tracestate: a=1\r\n"),
            own.is_none(),
            "{asked}"
        );
        assert_eq!(request.to_value(), kept, "the guest has not asked for it");
    }
}

#[tokio::test]
async fn nothing_is_sent_where_no_rule_leads() {
    let (address, asked) = peer(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()).await;
    let port = address.port();
    for (rule, host, trouble) in [
        ("example.com", "127.0.0.1", Trouble::Denied),
        ("127.0.0.1:1", "127.0.0.1", Trouble::Denied),
        ("*", "127.0.0.1", Trouble::Prohibited),
        ("*", "localhost", Trouble::Prohibited),
        ("*", "::1", Trouble::Prohibited),
        ("*", "::ffff:127.0.0.1", Trouble::Prohibited),
        ("*", "name.invalid", Trouble::NoName),
        ("https://127.0.0.1", "127.0.0.1", Trouble::Denied),
    ] {
        let result = whole(client(rule), request(host, port)).await;
        assert_eq!(result.unwrap_err(), trouble, "{rule} {host}");
    }
    asked.abort();
    assert!(asked.await.is_err(), "nobody has connected");
}

/// A client that trusts the authority of the tests.
fn trusting(rule: &str) -> Ruled {
    let ruled = client(rule);
    let mut roots = RootCertStore::empty();
    let authority = include_bytes!("tls/authority.der").as_slice();
    roots.add(authority.into()).unwrap();
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    ruled.client.tls.set(Some(Arc::new(config))).unwrap();
    ruled
}

/// A peer that speaks TLS as `localhost` and answers one request.
async fn secure_peer() -> u16 {
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;

    let certificate = include_bytes!("tls/server.der").as_slice().into();
    let key = PrivateKeyDer::try_from(include_bytes!("tls/server-key.der").as_slice()).unwrap();
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // A client that does not trust us ends the handshake.
        let Ok(mut stream) = acceptor.accept(stream).await else {
            return;
        };
        let mut chunk = [0; 1024];
        let count = stream.read(&mut chunk).await.unwrap();
        assert!(chunk[..count].starts_with(b"POST /x?y=1 "));
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret";
        stream.write_all(answer).await.unwrap();
        stream.flush().await.unwrap();
        drop(stream.read(&mut chunk).await);
    });
    port
}

#[tokio::test]
async fn https_needs_a_certificate_that_is_trusted_for_the_name() {
    let secure = |host: &str, port| Request {
        https: true,
        ..request(host, port)
    };
    let port = secure_peer().await;
    let response = whole(trusting("localhost"), secure("localhost", port)).await;
    assert_eq!(response.unwrap().body, b"secret");
    // The roots that everybody trusts do not know this authority.
    let port = secure_peer().await;
    let result = whole(client("localhost"), secure("localhost", port)).await;
    assert_eq!(result.unwrap_err(), Trouble::Certificate);
    // The certificate is for another name.
    let port = secure_peer().await;
    let result = whole(trusting("127.0.0.1"), secure("127.0.0.1", port)).await;
    assert_eq!(result.unwrap_err(), Trouble::Certificate);
    // The peer does not speak TLS.
    let (address, _asked) = peer(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()).await;
    let mut plain = secure("127.0.0.1", address.port());
    plain.timeouts.connect = Some(Duration::from_millis(300));
    let result = whole(trusting("127.0.0.1"), plain).await;
    assert_eq!(result.unwrap_err(), Trouble::ConnectTimeout);
}

#[test]
fn every_trouble_comes_back_from_its_number() {
    for trouble in Trouble::ALL {
        assert_eq!(Trouble::from_number(trouble as u32), Some(trouble));
    }
    assert_eq!(Trouble::from_number(99), None);
}
