//! The result of a handshake, extension parameters understood.

use ws_handshake::Agreement;

/// What both sides agreed on, extension parameters understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Agreed {
    /// The subprotocol and the extensions as they stand in the answer.
    pub agreement: Agreement,
    /// How messages are compressed; `None` when they are not.
    #[cfg(feature = "deflate")]
    pub deflate: Option<ws_deflate::Params>,
}

impl Agreed {
    pub(crate) fn new(agreement: Agreement) -> Self {
        Self {
            agreement,
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }

    #[cfg(feature = "deflate")]
    pub(crate) fn with_deflate(
        mut self,
        params: ws_deflate::Params,
        answer: ws_handshake::Extension,
    ) -> Self {
        self.agreement.extensions.push(answer);
        self.deflate = Some(params);
        self
    }
}
