"""The core: models, likelihoods, training and sampling of rows of tokens; it knows neither text nor pixels."""
