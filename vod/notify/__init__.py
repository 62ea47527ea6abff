"""Messages to people elsewhere: by e-mail and through the WeChat official account."""
