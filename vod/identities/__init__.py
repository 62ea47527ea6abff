"""Sign-in through an OpenID Connect provider of the organisation; off until configured."""
