//! The exchange of RFC 7677, and its refusals.

use super::*;

#[test]
fn the_example_of_the_rfc() {
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    let verifier = Verifier::new("pencil", &salt, 4096);
    let server = ServerExchange::start(
        verifier,
        "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    )
    .unwrap();
    assert_eq!(
        server.first_message(),
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    );
    let answer = server
        .finish(
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        )
        .unwrap();
    assert_eq!(answer.as_deref(), Some("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
}

#[test]
fn both_sides_agree_and_a_wrong_password_fails() {
    for (password, right) in [("secret", true), ("Secret", false)] {
        let verifier = Verifier::new("secret", b"0123456789abcdef", 64);
        let verifier = Verifier::parse(&verifier.to_string()).unwrap();
        let mut client = ClientExchange::new(password, "abc");
        let server = ServerExchange::start(verifier, &client.first_message(), "def").unwrap();
        let proof = client.answer(server.first_message()).unwrap();
        let last = server.finish(&proof).unwrap();
        assert_eq!(last.is_some(), right);
        if let Some(last) = last {
            assert!(client.verify(&last));
        }
    }
}

#[test]
fn malformed_messages_are_refused() {
    let verifier = Verifier::new("secret", b"salt", 1);
    for first in ["", "x", "n", "n,,", "n,,n=a", "p=tls-unique,,n=,r=a", "n,,n=,r="] {
        assert!(ServerExchange::start(verifier.clone(), first, "n").is_err(), "{first}");
    }
    let server = ServerExchange::start(verifier, "n,,n=,r=a", "b").unwrap();
    for last in ["", "c=biws,r=ab", "c=biws,r=ab,p=x", "c=xx,r=ab,p=AAAA"] {
        assert!(server.finish(last).is_err(), "{last}");
    }
    assert!(Verifier::parse("SCRAM-SHA-256$0:AA==$AA==:AA==").is_none());
    assert!(Verifier::parse("md5abc").is_none());
}
