//! The faults that can be seeded, each with the cases that have to fail for it; behind `~` stand
//! those that need only call it NON-STRICT, since no MUST is broken there or none that can be seen.

use crate::judge::Behavior;

/// Which reference peers can have a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Server,
    Client,
    Both,
}

macro_rules! faults {
    (
        wrong { $($name:ident: $side:ident, $($case:literal)|* $(~ $($lax:literal)|+)?, $what:literal;)+ }
        legal { $($odd:ident: $odd_side:ident, $($odd_case:literal)|+, $odd_what:literal;)+ }
    ) => {
        /// One rule that a mutant breaks, or one liberty of the RFCs that it takes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Fault {
            $(#[doc = $what] $name,)+
            $(#[doc = $odd_what] $odd,)+
        }

        impl Fault {
            /// Every fault.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)+];

            /// What looks like a fault and is none.
            pub(crate) const LEGAL: &[Self] = &[$(Self::$odd,)+];

            pub(crate) fn side(self) -> Side {
                match self {
                    $(Self::$name => Side::$side,)+
                    $(Self::$odd => Side::$odd_side,)+
                }
            }

            /// The cases that have to notice the fault, or to let the liberty pass, by the carrier
            /// that they are played over.
            pub(crate) fn cases(self) -> &'static [&'static str] {
                match self {
                    $(Self::$name => &[$($case,)* $($($lax,)+)?],)+
                    $(Self::$odd => &[$($odd_case),+],)+
                }
            }

            /// The least that one of its cases has to say of the fault; nothing of a liberty.
            pub(crate) fn least(self, case: &str) -> Option<Behavior> {
                let lax: &[&str] = match self {
                    $(Self::$name => &[$($($lax),+)?],)+
                    $(Self::$odd => return None,)+
                };
                Some(if lax.contains(&case) { Behavior::NonStrict } else { Behavior::Failed })
            }

            pub(crate) fn what(self) -> &'static str {
                match self {
                    $(Self::$name => $what,)+
                    $(Self::$odd => $odd_what,)+
                }
            }
        }
    };
}

faults! {
wrong {
    AcceptsUnmasked: Server, "20.1.1" | "20.1.6" | "40.3.6" | "41.3.6", "accepts unmasked frames";
    AcceptsMasked: Client, "20.2.1" | "40.14.6" | "41.14.6", "accepts masked frames";
    MasksAsServer: Server, "1.1.2", "masks although it is the server";
    NeverMasks: Client, "1.1.2" | "h2:1.1.2" | "h3:1.1.2", "does not mask";
    ConstantKey: Client, "20.4.1", "masks with the same key always";
    CountingKey: Client, "20.4.1", "counts its masking keys up";
    LinearKeys: Client, "20.4.1", "calculates each masking key from the one before";
    SameKeysAgain: Client, "20.4.1", "masks with the same keys on every connection";
    IgnoresReservedBits: Both, "3.1" | "3.7", "ignores reserved bits";
    EchoesReservedBits: Both, "3.5", "echoes reserved bits";
    IgnoresDataOpcodes: Both, "4.1.1", "ignores reserved data opcodes";
    IgnoresControlOpcodes: Both, "4.2.1", "ignores reserved control opcodes";
    AcceptsLongControl: Both, "2.5", "accepts a ping of 126 octets";
    AcceptsSplitControl: Both, "5.1", "accepts a ping in fragments";
    AcceptsNotMinimal: Both, ~ "20.5.2", "accepts lengths that are not minimal";
    SendsNotMinimal: Both, "1.1.2", "sends lengths that are not minimal";
    AcceptsTopBit: Both, "20.6.1", "takes a length with the top bit for a length";
    WaitsForHugeFrames: Both, ~ "20.7.2", "waits for a frame of a terabyte";
    NoPong: Both, "2.2", "does not answer pings";
    EmptyPong: Both, "2.2", "answers pings without their payload";
    PongsReversed: Both, "2.10", "answers the newest ping first";
    PongAfterMessage: Both, "5.6", "answers a ping only after the open message";
    AnswersPongs: Both, "2.8", "answers pongs";
    NoUtf8Check: Both, "6.3.1", "does not check UTF-8";
    LateUtf8: Both, ~ "6.4.1", "checks UTF-8 only at the end of a message";
    LateUtf8InFrame: Both, ~ "6.4.3", "checks UTF-8 only at the end of a frame";
    Utf8PerFrame: Both, "6.2.3", "wants each fragment to be UTF-8";
    AcceptsSurrogates: Both, "6.20.1", "accepts surrogates in UTF-8";
    AcceptsOverlong: Both, "6.17.1", "accepts overlong UTF-8";
    AcceptsCutEnd: Both, "20.14.1" | "20.14.4", "accepts a text in fragments that ends inside a character";
    AcceptsSplitOverlong: Both, "20.14.6" | "20.14.8", "accepts overlong UTF-8 across fragments";
    DropsByteOrderMark: Both, "20.16.1" | "20.16.2", "drops U+FEFF at the start of a text";
    FoldsLineEnds: Both, "20.16.4" | "20.16.5", "turns CR LF into LF";
    TrimsText: Both, "20.16.5" | "20.16.6" | "20.16.7", "trims white space off texts";
    StopsAtNul: Both, "20.16.9" | "20.16.10", "ends texts at the first NUL";
    Utf8FailsWith1002: Both, ~ "6.3.1", "closes with 1002 for text that is not UTF-8";
    AcceptsStrayContinuation: Both, "5.9", "takes a continuation of nothing for a message";
    AcceptsInterleaved: Both, "5.18", "lets a message begin inside another";
    DropsFirstFragment: Both, "5.3", "loses the first fragment";
    EchoesAsBinary: Both, "1.1.2", "echoes text as binary";
    TruncatesAt65535: Both, "1.1.7", "cuts messages at 65535 octets";
    CorruptsLastOctet: Both, "12.2.5", "changes the last octet of long messages";
    ForgetsMaskOffset: Server, "20.3.9", "begins the key anew with every read";
    NoCloseReply: Both, "7.1.1", "does not answer a close frame";
    TwoCloses: Both, "7.1.1", "sends two close frames";
    Sends1005: Both, "7.3.1", "sends the close code 1005";
    Closes1001: Both, ~ "7.3.3", "answers every close with 1001";
    LimitAndStays: Server, "1.1.6" | "9.1.1" | "10.1.1" | "20.9.8" | "h2:1.1.6", "refuses messages of more than 32 KiB and leaves the stream open";
    WrongCodeAndStays: Server, "3.1" | "7.1.1" | "h2:7.1.1", "closes with a code that does not fit and leaves the stream open";
    AcceptsShortClose: Both, ~ "7.3.2", "accepts a close body of one octet";
    AcceptsBadCodes: Both, "7.9.1", "accepts the close code 0";
    RefusesGoodCodes: Both, ~ "7.7.10", "refuses the close code 3000";
    AcceptsBadReason: Both, "7.5.1" | "22.2.5", "accepts a close reason that is not UTF-8";
    EchoesAfterClose: Both, "7.1.4", "echoes what comes after a close frame";
    PongsAfterClose: Both, "7.1.3", "answers a ping that comes after a close frame";
    NeverEndsTcp: Server, "7.1.1" | "40.3.3" | "41.3.3", "leaves the stream open after the closing handshake";
    FailsWithoutClose: Both, ~ "22.4.1", "fails the connection without a close frame";
    GoesOnAfterFailure: Both, "22.4.1", "goes on after it has failed the connection";
    LosesEarlierMessages: Both, ~ "20.12.1", "loses messages that came before a bad frame";
    WaitsForPayload: Both, "20.11.1", "judges a frame only when all of it is there";
    NoCloseTimeout: Both, ~ "22.7.4", "waits for ever for the answer to its close frame";
    EndsTcpFirst: Client, ~ "22.7.2", "ends TCP before the server does";
    NoRsv1: Both, "12.1.1", "compresses without saying so";
    IgnoresRsv1OnPing: Both, "21.1.1", "ignores RSV1 on a ping";
    IgnoresRsv1OnContinuation: Both, "21.1.4", "ignores RSV1 on a continuation";
    ForgetsWindow: Both, "23.1.4", "forgets the window between messages";
    FinalBlockEnds: Both, "23.1.8", "inflates nothing after a block with BFINAL";
    NoUtf8AfterInflating: Both, "23.2.8", "does not check UTF-8 after inflating";
    EndsInsideBlocks: Both, "12.1.1" | "23.1.10", "leaves out the last octet of compressed messages";
    IgnoresDamage: Both, "23.2.1", "ignores damaged compressed messages";
    InflatesWithoutLimit: Both, ~ "24.1.3", "inflates without a limit";
    KeepsOwnWindow: Server, "23.3.2", "compresses with takeover although it agreed not to";
    ExceedsWindow: Server, "23.3.8", "compresses with a larger window than agreed";
    NoConfirmation: Server, "23.3.2", "does not confirm server_no_context_takeover";
    AcceptsUnknownParameter: Server, "23.3.31", "accepts an offer with an unknown parameter";
    AcceptsMalformedExtensions: Server, "23.3.61" | "40.2.13", "accepts extensions against the grammar";
    ImposesClientBits: Server, "23.3.1", "asks for client_max_window_bits unoffered";
    NineForEight: Server, "23.3.9", "answers an offer of 8 bits with 9";
    WrongAccept: Server, "30.1.1", "answers with a wrong accept value";
    AcceptsPost: Server, "30.3.1", "accepts POST";
    AcceptsHttp10: Server, "30.3.4", "accepts HTTP/1.0";
    AcceptsNoHost: Server, "30.3.8", "accepts a request without Host";
    AcceptsVersion8: Server, "40.2.9" | "41.2.5" ~ "30.3.26", "accepts version 8";
    NamesNoVersion: Server, "30.3.26" | "40.2.9", "refuses version 8 without naming 13";
    UpgradeIsCaseSensitive: Server, "30.1.4", "compares Upgrade with case";
    ConnectionIsNoList: Server, "30.1.5", "does not read Connection as a list";
    ConnectionBySubstring: Server, "30.3.16", "finds upgrade inside notupgrade";
    AcceptsShortKey: Server, ~ "30.3.20", "accepts a key of 15 octets";
    AcceptsTwoKeys: Server, "30.3.23", "accepts two keys";
    InventsSubprotocol: Server, "30.6.5" | "h2:32.1.1" | "h3:32.1.1", "answers with a subprotocol nobody offered";
    InventsExtension: Server, "30.6.6", "answers with an extension nobody offered";
    LosesEarlyFrames: Server, ~ "30.2.4", "loses frames that came with the request";
    NoHeadLimit: Server, ~ "30.5.4", "reads a head of any size";
    AcceptsSpaceBeforeColon: Server, "30.4.3", "accepts a space before a colon";
    ContentLengthIn101: Server, "30.6.1", "sends Content-Length with the 101";
    NoHandshakeDeadline: Both, ~ "50.2.1" | "50.2.4", "waits for ever for a handshake";
    NoWriteDeadline: Both, ~ "50.2.7", "waits for ever for a peer that does not read";
    NoFragmentLimit: Both, ~ "50.1.1", "takes any number of fragments";
    NoMessageLimit: Both, ~ "50.1.3", "takes a message of any size";
    PilesPongsUp: Both, ~ "50.1.4", "piles pongs up for a peer that does not read";
    SameKeyTwice: Client, "1.1.1", "uses the same key for every handshake";
    ShortKey: Client, "31.3.6", "sends a key of 15 octets";
    NoVersion: Client, "31.3.7" | "40.12.8" | "41.12.8", "sends no version";
    DuplicateSubprotocols: Client, "31.3.9" | "40.12.10" | "41.12.10", "offers a subprotocol twice";
    SpeaksEarly: Client, "31.3.13" | "40.12.12" | "41.12.12", "sends a frame before it is answered";
    IgnoresAccept: Client, "31.2.18", "does not look at the accept value";
    AcceptWithoutCase: Client, "31.2.35", "compares the accept value without regard to case";
    IgnoresStatus: Client, "31.2.1" | "40.13.19" | "41.13.17", "takes any status for 101";
    IgnoresUpgrade: Client, "31.2.9", "does not miss Upgrade";
    RefusesInterim: Client, "31.1.15", "takes 100 for the final answer";
    LosesFirstFrame: Client, "31.1.18", "loses a frame that came with the answer";
    TakesAnySubprotocol: Client, "32.3.1" | "40.13.29" | "41.13.27", "accepts a subprotocol it did not offer";
    TakesAnyExtension: Client, "32.3.6" | "40.13.30" | "41.13.28", "accepts an extension it did not offer";
    IgnoresClientBits: Client, "23.4.8", "compresses with a larger window than agreed";
    IgnoresClientTakeover: Client, "23.4.3", "compresses with takeover although it was told not to";
    TakesBadWindow: Client, "23.4.23" | "h2:23.4.23" | "h3:23.4.23", "accepts a window of 7 bits";
    AdvertisesNothing: Server, "40.1.1" | "41.1.1", "does not send the setting that allows WebSockets";
    AcceptsPlainConnect: Server, "40.2.8" | "41.2.4", "accepts a plain CONNECT";
    AcceptsAnyProtocol: Server, "40.2.7" | "41.2.3", "accepts a :protocol that it does not know";
    AcceptsSpacedSubprotocol: Server, "40.2.12" | "41.2.7", "accepts a subprotocol with a space";
    AnswersWithAccept: Server, ~ "40.2.1" | "41.2.1", "answers with an accept value on a stream";
    Answers101: Server, "41.2.1", "answers 101 on a stream";
    AnswersWithLength: Server, "h2:1.1.1" | "h3:1.1.1", "answers with Content-Length on a stream";
    LeavesUnanswered: Server, "40.2.7" | "41.2.3", "does not answer a request that it refuses";
    EndsConnection: Server, "40.2.9" ~ "41.2.5", "ends the connection for one refused request";
    ResetsAtEnd: Both, "40.3.3" | "41.3.3" | "41.14.3" ~ "40.14.3", "resets the stream after the closing handshake";
    IgnoresEnd: Both, "41.3.4" | "40.14.4" ~ "40.3.4" | "41.14.4", "leaves its side open after the peer's end";
    GivesNoCredit: Both, "40.3.15" | "40.14.14", "gives no credit for what it has read";
    AcceptsNoScheme: Server, "41.2.9", "accepts a request without :scheme";
    AcceptsTwoPaths: Server, "41.2.11", "accepts two :path";
    AcceptsUnknownPseudo: Server, "41.2.12", "accepts unknown pseudo-fields";
    AcceptsConnectionFields: Server, "41.2.13" | "41.2.14" | "41.2.15", "accepts fields that belong to connections";
    AcceptsUpperCase: Server, "41.2.17", "accepts upper-case field names";
    AcceptsLineFeed: Server, "41.2.18", "accepts LF in a value";
    SkipsKnownFrames: Both, "41.3.7" | "41.14.7" | "41.14.12", "skips frames that must not be on the stream";
    RefusesUnknownFrames: Both, "41.3.2" | "41.14.2", "refuses frames of unknown types";
    AsksUnallowed: Client, "40.11.2" | "40.11.3" | "41.11.2" | "41.11.3" | "42.1.3", "does not look at the setting";
    DoesNotWait: Client, "40.11.4" | "41.11.4", "asks before it knows the SETTINGS";
    IgnoresStreamLimit: Client, "40.11.7", "opens a stream although none is allowed";
    IgnoresPing: Client, "40.11.9", "does not answer PING";
    NoSettingsAck: Client, "40.11.1", "does not acknowledge SETTINGS";
    WaitsForSettings: Client, ~ "40.11.11" | "41.11.9", "waits for ever for SETTINGS";
    NoProtocol: Client, "40.12.1" | "41.12.1", "asks by a plain CONNECT";
    NoScheme: Client, "40.12.2" | "41.12.2", "forgets :scheme";
    NoPath: Client, "40.12.4" | "41.12.4", "forgets :path";
    PseudoLast: Client, "40.12.5" | "41.12.5", "sends pseudo-fields behind the others";
    SendsUpperCase: Client, "40.12.5" | "41.12.5", "sends upper-case field names";
    SendsUpgrade: Client, "40.12.6" | "41.12.6", "sends Upgrade and Connection on a stream";
    SendsKey: Client, ~ "40.12.7" | "41.12.7", "sends a key on a stream";
    TakesMalformed: Client, "40.13.25" | "40.13.27" | "41.13.23" | "41.13.25", "takes malformed answers";
    RefusesInterimOnStream: Client, "40.13.6" | "41.13.4", "takes 100 on a stream for the final answer";
    TakesPadding: Client, "40.14.2", "takes padding for data";
    GoesOnAfterReset: Client, "40.14.5", "sends DATA on a stream that was reset";
    TakesTrailers: Client, "40.14.7", "takes a second header block";
    TakesAnyUpdate: Client, "40.14.8" | "40.14.9", "takes any window update";
    IgnoresWindow: Client, "40.14.10" | "40.14.12" | "40.14.13", "sends beyond the window";
    EndsAtGoaway: Client, "40.14.15" | "41.14.13", "ends its WebSocket with GOAWAY";
    TakesStrayFrames: Client, "40.14.16" | "40.14.17" | "40.14.19" ~ "40.14.18", "takes frames out of place";
    IgnoresControl: Client, "41.14.9" | "41.14.10" | "41.14.11", "does not watch the control stream";
    NeverFallsBack: Client, ~ "42.1.2" | "42.1.7", "gives up with the first version";
    SpeaksH2Only: Server, "42.2.2" | "42.2.3", "knows no HTTP/1.1 in TLS";
    UpgradesInH2: Server, "42.2.5", "speaks HTTP/1.1 where h2 was agreed on";
}
legal {
    SendsStrayPongs: Both, "1.1.2" | "2.2" | "2.8" | "2.10" | "5.6" | "9.7.2" | "12.1.1" | "h2:1.1.2", "sends pongs that nobody asked for";
    SkipsPings: Both, "2.10" | "2.11", "answers of the pings that wait the last one and some before it";
    LimitsMessages: Both, "1.1.6" | "1.1.8" | "1.2.7" | "10.1.1" | "20.9.8", "refuses messages of more than 32 KiB";
    EchoesUndefinedCodes: Both, "7.13.1" | "7.13.2" | "22.3.17", "echoes close codes from 5000 on";
    PadsData: Client, "40.14.1" | "40.14.10" | "40.14.11" | "40.14.13" | "h2:1.1.7", "pads what it sends in DATA";
    HintsEarly: Server, "40.1.3" | "40.2.1" | "40.2.9" | "40.3.1" | "h2:1.1.2", "sends an interim answer before the final one";
    RefusesOddities: Server, "30.1.9" | "30.1.16" | "30.1.17" | "30.1.23" | "30.1.25" | "30.2.4" | "30.2.6" | "30.2.7", "refuses what no MUST has it accept";
    ShowsPages: Server, "30.3.1" | "30.3.2" | "30.3.4" | "30.3.6" | "30.3.12" | "30.3.13" | "30.3.14" | "30.3.15" | "30.3.16" | "30.3.17", "answers with a page who asks for no WebSocket";
    TrustsKeys: Server, "30.3.20" | "30.3.21", "does not decode keys";
    KnowsVersion8: Server, "30.3.26", "understands version 8 too";
    TakesNewerHttp: Both, "30.3.6" | "31.2.25", "takes any version of HTTP from 1.1 on";
    ReplacesControls: Both, "30.4.1" | "30.4.2" | "31.2.30", "reads CR and NUL in a value as spaces";
    SkipsOddLines: Server, "30.4.7" | "30.4.8" | "30.4.9" | "30.4.10" | "30.4.11", "passes over lines that are no field";
    TakesSubprotocolTwice: Server, "32.1.12" | "h2:32.1.12" | "h3:32.1.12", "accepts a subprotocol that is offered twice";
    FailsWith1008: Both, "3.1" | "6.3.1" | "7.5.1" | "20.1.1" | "20.2.1" | "22.4.1" | "23.2.1", "closes with 1008 whatever is wrong";
    PingsAtOnce: Both, "1.1.2" | "2.2" | "6.4.3" | "6.4.4" | "20.10.15" | "20.11.1" | "22.6.3", "sends a ping as soon as the WebSocket is open";
    KeepsHalfOpen: Both, "20.10.1" | "20.10.15" | "22.6.2", "goes on with TCP that is half closed";
    GivesSmallWindow: Server, "40.3.1" | "40.3.2" | "40.3.9" | "40.3.10" | "40.3.15" | "h2:1.1.7", "gives each stream a window of 100 octets";
}
}
