//! Core: every way in which a request can go wrong in the front end, and whose fault it is.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use ringway_ports::InvokeError;
use thiserror::Error;

/// The text is for the client: short, no internals. Details are logged where they are known.
#[derive(Debug, Clone, Error)]
pub enum Fault {
    #[error("the request is malformed: {0}")]
    BadRequest(&'static str),
    #[error("the request's headers did not arrive within {0:?}")]
    SlowHead(Duration),
    #[error("the request's body stopped arriving for {0:?}")]
    SlowBody(Duration),
    #[error("the request's headers are larger than the limit")]
    HeadTooLarge,
    #[error("the address is longer than the limit of {0} bytes")]
    TargetTooLong(usize),
    #[error("the body is larger than the limit of {0} bytes")]
    BodyTooLarge(u64),
    #[error("this version of HTTP is not spoken here")]
    Version,
    #[error("no app answers for host {0}; `ringway status` lists them")]
    NoApp(String),
    #[error("there is nothing at this address")]
    NotFound,
    #[error("this method is not for this address")]
    MethodNotAllowed { allow: Cow<'static, str> },
    #[error("a condition in the request's headers does not hold")]
    PreconditionFailed,
    #[error("the range is outside of the file")]
    Unsatisfiable { len: u64 },
    #[error("there were too many requests like this one, try again in {} s", .0.as_secs_f64().ceil())]
    TooMany(Duration),
    #[error("it is not stored here, and only what is stored was asked for")]
    NotCached,
    #[error("the app did not answer properly")]
    BadGateway,
    #[error("the app did not answer within {0:?}")]
    GatewayTimeout(Duration),
    #[error("{0}, try again soon")]
    Unavailable(&'static str),
    #[error("something went wrong here")]
    Internal,
}

impl Fault {
    pub fn status(&self) -> StatusCode {
        match self {
            Fault::BadRequest(_) => StatusCode::BAD_REQUEST,
            Fault::SlowHead(_) | Fault::SlowBody(_) => StatusCode::REQUEST_TIMEOUT,
            Fault::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Fault::TargetTooLong(_) => StatusCode::URI_TOO_LONG,
            Fault::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Fault::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Fault::NoApp(_) | Fault::NotFound => StatusCode::NOT_FOUND,
            Fault::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Fault::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Fault::Unsatisfiable { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Fault::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Fault::BadGateway => StatusCode::BAD_GATEWAY,
            Fault::GatewayTimeout(_) | Fault::NotCached => StatusCode::GATEWAY_TIMEOUT,
            Fault::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Fault::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether what is left of the request must not be taken for the next one.
    pub fn ends_connection(&self) -> bool {
        use Fault::*;
        matches!(
            self,
            BadRequest(_) | SlowHead(_) | SlowBody(_) | HeadTooLarge | TargetTooLong(_) | BodyTooLarge(_) | Version
        )
    }
}

impl From<InvokeError> for Fault {
    fn from(error: InvokeError) -> Self {
        match error {
            InvokeError::Overloaded { .. } => Fault::Unavailable("the app is busy"),
            InvokeError::NotStarting { .. } => Fault::Unavailable("the app does not start"),
            InvokeError::TimedOut { after, .. } => Fault::GatewayTimeout(after),
            InvokeError::AppFailed { .. } => Fault::BadGateway,
            InvokeError::NotFound(_) => Fault::NotFound,
            InvokeError::TooLarge(limit) => Fault::BodyTooLarge(limit),
            InvokeError::BadRequest(_) => Fault::BadRequest("the app cannot take it"),
            InvokeError::Internal(_) => Fault::Internal,
        }
    }
}
